"""Records a sample of users' requests for the promoter, in memory only and on request.

Each request for them sets the share that is recorded from then on; after LEASE_S
seconds without one the recording ends. The newest are kept, at most MOST_REQUESTS and
MOST_CHARACTERS, and each is handed over once. Of a request its id, texts, protocol and
form are kept: no header's value and no credential.
"""

import random
import time
from collections import deque
from collections.abc import Sequence
from typing import Literal, NamedTuple

LEASE_S = 60.0
MOST_REQUESTS, MOST_CHARACTERS = 1000, 1_000_000
LONGEST_ID = 256
EACH = 64  # characters that a text counts besides its own and its id's

Protocol = Literal["v1", "v2", "predict", "grpc"]
Form = Literal["plain", "binary", "event"]
"""What its headers make of a request: JSON, tensors as bytes, or a CloudEvent."""


class Origin(NamedTuple):
    """How a user asked: the request's id, "" without one, its protocol and form."""

    request: str
    protocol: Protocol
    form: Form = "plain"


class Lent(NamedTuple):
    """A recorded request with all of its texts."""

    origin: Origin
    texts: tuple[str, ...]


class Recorder:
    """A sample of users' requests."""

    def __init__(self) -> None:
        """Begin without recording."""
        self._share, self._until = 0.0, 0.0
        self._kept: deque[Lent] = deque()
        self._characters = 0

    def offer(self, origin: Origin, texts: Sequence[str]) -> None:
        """Sample a request, whether it will be answered or not."""
        if time.monotonic() > self._until:
            self._forget()
            return
        if random.random() >= self._share:
            return
        lent = Lent(origin._replace(request=origin.request[:LONGEST_ID]), tuple(texts))
        self._kept.append(lent)
        self._characters += _size(lent)
        while self._characters > MOST_CHARACTERS or len(self._kept) > MOST_REQUESTS:
            self._characters -= _size(self._kept.popleft())

    def take(self, share: float) -> list[Lent]:
        """Return the recorded requests; record `share` from now on."""
        found = list(self._kept)
        self._forget()
        self._share, self._until = share, time.monotonic() + LEASE_S
        return found

    def _forget(self) -> None:
        self._kept.clear()
        self._characters = 0


def _size(lent: Lent) -> int:
    """Return the characters that a request counts, as its longest form writes it."""
    each = EACH + len(lent.origin.request)
    return sum(map(len, lent.texts)) + each * len(lent.texts)


def as_requests(lent: Sequence[Lent]) -> list[dict[str, object]]:
    """Return recorded requests in the form that tells how each was asked."""
    return [
        {
            "id": origin.request,
            "protocol": origin.protocol,
            "form": origin.form,
            "texts": texts,
        }
        for origin, texts in lent
    ]


def as_texts(lent: Sequence[Lent]) -> list[tuple[str, str]]:
    """Return ids and texts, as older promoters read them: id/0, id/1 from a batch."""
    return [
        (origin.request if len(texts) == 1 else f"{origin.request}/{number}", text)
        for origin, texts in lent
        for number, text in enumerate(texts)
    ]
