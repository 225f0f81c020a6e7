"""Which texts both arms are asked: the users', or sentences of the policy's."""

import math
import time
from collections.abc import Iterator, Sequence
from itertools import cycle

import urllib3

POLL_S = 0.5  # predictors keep the newest thousand texts: 2,000 a second
TIMEOUT_S = 10.0  # an arm that takes longer has failed
Text = tuple[str, str]


class Shadow:
    """Users' texts, lent by the predictors of both arms."""

    name = "shadow"

    def __init__(self, share: float, token: str, http: urllib3.PoolManager) -> None:
        """Borrow `share` of them with `token`."""
        self._http, self._share = http, share
        self._headers = {**http.headers, "x-recording-token": token}

    def texts(self, doors: Sequence[str]) -> Iterator[Text]:
        """With their requests' ids, what was asked at these doors meanwhile."""
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
    """Sentences in turns, at a rate."""

    name = "synthetic"

    def __init__(self, rps: float, sentences: Sequence[str]) -> None:
        """Begin with the first."""
        self._rps, self._sentences = rps, cycle(sentences)
        self._last, self._owed = -math.inf, 0.0

    def texts(self, doors: Sequence[str]) -> Iterator[Text]:
        """As many as are due; what fell due while nobody could ask is not."""
        del doors
        now = time.monotonic()
        self._owed += self._rps * min(now - self._last, 2 * POLL_S)
        self._last = now
        while self._owed >= 1:
            self._owed -= 1
            yield "", next(self._sentences)
