"""The texts that both arms are asked: the users' or the policy's sentences."""

import math
import time
from collections.abc import Iterator, Sequence
from itertools import cycle

import urllib3

POLL_S = 0.5  # predictors keep the newest 1,000 texts: enough for 2,000 per second
TIMEOUT_S = 10.0  # a longer answer counts as a failure
Text = tuple[str, str]


class Shadow:
    """Users' texts, lent by the predictors of both arms."""

    name = "shadow"

    def __init__(self, share: float, token: str, http: urllib3.PoolManager) -> None:
        """Borrow `share` (a fraction) of the users' texts with `token`."""
        self._http, self._share = http, share
        self._headers = {**http.headers, "x-recording-token": token}

    def texts(self, doors: Sequence[str]) -> Iterator[Text]:
        """Yield the request ids and texts that these predictors recorded meanwhile."""
        for door in doors:
            answer = self._http.request(
                "POST",
                f"{door}/shadow/texts",
                json={"share": self._share},
                headers=self._headers,
                timeout=TIMEOUT_S,
            )
            if answer.status == 200:
                yield from (tuple(each) for each in answer.json()["texts"])
            else:
                raise LookupError(f"status {answer.status} for the users' texts")


class Synthetic:
    """Sentences in turn, at a fixed rate."""

    name = "synthetic"

    def __init__(self, rps: float, sentences: Sequence[str]) -> None:
        """Use `rps` sentences per second, from the first one on."""
        self._rps, self._sentences = rps, cycle(sentences)
        self._last, self._owed = -math.inf, 0.0

    def texts(self, doors: Sequence[str]) -> Iterator[Text]:
        """Yield as many sentences as are due, for at most 2 x POLL_S of the past."""
        del doors
        now = time.monotonic()
        self._owed += self._rps * min(now - self._last, 2 * POLL_S)
        self._last = now
        while self._owed >= 1:
            self._owed -= 1
            yield "", next(self._sentences)
