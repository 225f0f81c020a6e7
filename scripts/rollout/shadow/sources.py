"""The requests that both arms are asked: the users' or the policy's sentences."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from typing import Any

import urllib3

from scripts.rollout.shadow.requests import Lent

POLL_S = 0.5  # predictors keep the newest 1,000: enough for 2,000 per second
TIMEOUT_S = 10.0


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
            answer = self._http.request(
                "POST",
                f"{door}/shadow/texts",
                json={"share": self._share, "as": "requests"},
                headers=self._headers,
                timeout=TIMEOUT_S,
            )
            if answer.status != 200:
                raise LookupError(f"status {answer.status} for the users' texts")
            content = answer.json()
            self.grpc_ports[door] = content.get("grpcPort")
            yield from _lent(content)


def _lent(content: Mapping[str, Any]) -> Iterator[Lent]:
    """Read what a predictor lends; an older one lends texts without their protocol."""
    for name, text in content.get("texts", ()):
        yield Lent(name, (text,))
    for each in content.get("requests", ()):
        texts = tuple(each["texts"])
        form = each["protocol"], each["form"], content["model"]
        yield Lent(each["id"], texts, *form)


class Synthetic:
    """Sentences in turn, at a fixed rate."""

    name = "synthetic"

    def __init__(self, rps: float, sentences: Sequence[str]) -> None:
        """Use `rps` sentences per second, from the first one on."""
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
            yield Lent("", (next(self._sentences),))
