"""The requests that both arms are asked: the users' or the policy's sentences."""

import json
import math
import time
from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import Annotated, Literal

import msgspec
import urllib3

from scripts.rollout.bounded import MIB, Answered, ask
from scripts.rollout.errors import RolloutError
from scripts.rollout.shadow.requests import Lent

POLL_S = 0.5  # predictors keep the newest 1,000: enough for 2,000 per second
TIMEOUT_S = 10.0
NO_SUCH_PLACE = (404, 405, 501)
Id = Annotated[str, msgspec.Meta(max_length=512)]
MOST_BYTES = 16 * MIB  # a predictor lends 1,000,000 characters at once


class Shadow:
    """Users' requests, lent by the predictors of both arms."""

    name = "shadow"

    def __init__(self, share: float, token: str, http: urllib3.PoolManager) -> None:
        """Borrow `share` (a fraction) of the users' requests with `token`."""
        self._http, self._share = http, share
        self._headers = {**http.headers, "x-recording-token": token}
        self.grpc_ports: dict[str, int | None] = {}

    def requests(self, doors: Sequence[str]) -> Iterator[Lent]:
        """Yield the requests that these predictors recorded meanwhile."""
        for door in doors:
            answer = self._borrow(door)
            if answer.status != 200:
                raise LookupError(f"status {answer.status} for the users' texts")
            content = _content(answer.data)
            self.grpc_ports[door] = content.grpcPort
            yield from content.lent()

    def refuse_foreign(self, doors: Sequence[str]) -> None:
        """Raise RolloutError where a predictor has nothing by which it would lend."""
        for door in doors:
            try:
                status = self._borrow(door).status
            except (urllib3.exceptions.HTTPError, ValueError):
                continue
            if status in NO_SUCH_PLACE:
                raise RolloutError(
                    f"shadow: the stable's predictor answers {status} for "
                    "/shadow/texts: it runs without RECORDING_TOKEN, or is not of this "
                    "repository, and lends no users' requests; for any server use "
                    "synthetic, with path and body of your own"
                )

    def _borrow(self, door: str) -> Answered:
        return ask(
            self._http,
            "POST",
            f"{door}/shadow/texts",
            json={"share": self._share, "as": "requests"},
            headers=self._headers,
            seconds=TIMEOUT_S,
            most=MOST_BYTES,
        )


class _Text(msgspec.Struct, frozen=True):
    id: Id
    protocol: Literal["v1", "v2", "predict", "grpc"]
    form: Literal["plain", "binary", "event"]
    texts: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]


class _Content(msgspec.Struct, frozen=True):
    """What a predictor lends; an older one lends texts without their protocol.

    The model's name becomes part of a path: one with slashes and dots would choose
    what is asked, past an API server's proxy of a pod.
    """

    texts: tuple[tuple[Id, str], ...] = ()
    requests: tuple[_Text, ...] = ()
    model: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z")] = "-"
    grpcPort: Annotated[int, msgspec.Meta(ge=1, le=65535)] | None = None

    def lent(self) -> Iterator[Lent]:
        """Yield the requests."""
        for name, text in self.texts:
            yield Lent(name, (text,))
        for each in self.requests:
            yield Lent(each.id, each.texts, each.protocol, each.form, self.model)


def _content(body: bytes) -> _Content:
    try:
        return msgspec.json.decode(body, type=_Content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError("no requests, but something else was lent") from error


class Synthetic:
    """Sentences in turn, at a fixed rate."""

    name = "synthetic"

    def __init__(
        self, rps: float, sentences: Sequence[str], path: str = "", body: str = ""
    ) -> None:
        """Use `rps` sentences per second, from the first one on.

        `body` is sent to `path` with the sentence, as JSON has it, for {text}.
        """
        self._path, self._body = path, body
        self._rps, self._sentences = rps, cycle(sentences)
        self._last, self._owed = -math.inf, 0.0
        self.grpc_ports: dict[str, int | None] = {}

    def requests(self, doors: Sequence[str]) -> Iterator[Lent]:
        """Yield as many sentences as are due, for at most 2 x POLL_S of the past."""
        del doors
        now = time.monotonic()
        self._owed += self._rps * min(now - self._last, 2 * POLL_S)
        self._last = now
        while self._owed >= 1:
            self._owed -= 1
            yield self._lent(next(self._sentences))

    def refuse_foreign(self, doors: Sequence[str]) -> None:
        """Any server can be asked."""

    def _lent(self, text: str) -> Lent:
        quoted = json.dumps(text, ensure_ascii=False)[1:-1]
        body = self._body.replace("{text}", quoted)
        return Lent("", (text,), path=self._path, body=body)
