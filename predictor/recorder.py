"""Records a sample of users' texts for the promoter, in memory only and on request.

Each request sets the share that is recorded from then on; after LEASE_S seconds without
a request the recording ends. The newest texts are kept, at most MOST_TEXTS and
MOST_CHARACTERS, and each text is handed over once.
"""

import random
import time
from collections import deque
from collections.abc import Sequence

LEASE_S = 60.0
MOST_TEXTS, MOST_CHARACTERS = 1000, 1_000_000


class Recorder:
    """A sample of the texts of users, with the ids of their requests."""

    def __init__(self) -> None:
        """Begin without recording."""
        self._share, self._until = 0.0, 0.0
        self._kept: deque[tuple[str, str]] = deque(maxlen=MOST_TEXTS)
        self._characters = 0

    def offer(self, request: str, texts: Sequence[str]) -> None:
        """Sample a request; the texts of a batch get the ids id/0, id/1 and so on."""
        if time.monotonic() > self._until:
            self._forget()
            return
        if random.random() >= self._share:
            return
        for number, text in enumerate(texts):
            name = request if len(texts) == 1 else f"{request}/{number}"
            if len(self._kept) == MOST_TEXTS:
                self._drop()
            self._kept.append((name, text))
            self._characters += len(text)
        while self._characters > MOST_CHARACTERS:
            self._drop()

    def take(self, share: float) -> list[tuple[str, str]]:
        """Return the recorded request ids and texts; record `share` from now on."""
        found = list(self._kept)
        self._forget()
        self._share, self._until = share, time.monotonic() + LEASE_S
        return found

    def _drop(self) -> None:
        self._characters -= len(self._kept.popleft()[1])

    def _forget(self) -> None:
        self._kept.clear()
        self._characters = 0
