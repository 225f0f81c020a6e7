"""A bounded queue of long work for one thread, a slice of each request in turn.

One thread, since a pipeline's work holds Python's lock: a second would take its time
from the event loop. A request whose caller leaves is cancelled, and its other slices
are never run.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import TypeVar

from predictor.overload.limits import QUEUED_S
from predictor.scorer import INLINE_S, Scorer

SLICE_S = 0.02
NEARLY = 0.9
FORGOTTEN_S = 1.0
PLACES = 2  # requests that take turns; with more, all would be late together
T = TypeVar("T")


class BusyError(Exception):
    """The queue is full: 503, or RESOURCE_EXHAUSTED."""

    def __init__(self, what: str) -> None:
        """Say what there is too much of."""
        super().__init__(f"busy: {what}; ask again later, or add replicas")


class Work:
    """Classifies texts on the thread; refuses what would wait too long."""

    def __init__(self, scorer: Scorer, queued_s: float = QUEUED_S) -> None:
        """Let at most `queued_s` seconds of work wait, but always one request."""
        self._scorer, self._most = scorer, queued_s
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="work")
        self._places = asyncio.Semaphore(PLACES)
        self._waiting = 0
        self._seconds = 0.0
        self._coming = self._since = self._read = 0.0

    async def rows(self, texts: Sequence[str]) -> list[list[float]]:
        """Return the probabilities of each text. Raises BusyError."""
        cost = self._scorer.seconds(texts)
        self._coming = max(round(self._coming - cost, 6), 0.0)
        refusal = self._refusal(cost)
        if refusal is not None:
            raise refusal
        self._waiting += 1
        self._seconds += cost
        try:
            found: list[list[float]] = []
            async with self._places:
                for part in self._slices(texts, cost):
                    found += await self.run(self._scorer.rows, part)
                    done = self._scorer.seconds(part)
                    self._seconds -= done
                    cost -= done
            return found
        finally:
            self._waiting -= 1
            self._seconds = self._seconds - cost if self._waiting else 0.0

    def refusal(self, texts: Sequence[str]) -> BusyError | None:
        """Return why these texts could not even wait, None where they may."""
        return self._refusal(self._scorer.seconds(texts))

    def refusal_of_body(self, body: bytes) -> BusyError | None:
        """Return why a body is taken to be too long to wait, None where it may.

        It is read only as far as it takes to see that: while there is room, not at all.
        """
        if not self._waiting and not self._coming:
            return None
        cost = self._scorer.most_seconds(body)
        return self._refusal(cost) if cost > INLINE_S else None

    async def read(self, body: bytes, reader: Callable[..., T], *more: object) -> T:
        """Read a long body on the thread. Raises BusyError where it is not worth that.

        While it is read its texts count as waiting, or all that came were read, and
        most of them only to be refused.
        """
        cost = self._scorer.most_seconds(body)
        refusal = self._refusal(cost)
        if refusal is not None:
            raise refusal
        self._read += cost
        try:
            return await self.run(reader, body, *more)
        finally:
            self._read = max(round(self._read - cost, 6), 0.0)

    def is_nearly_full(self, letters: int) -> bool:
        """Return whether a long body is not worth receiving, as `letters` come."""
        coming = letters * self._scorer.letter_s
        return self._seconds + self._read + coming > NEARLY * self._most

    def expect(self, texts: Sequence[str]) -> None:
        """Count texts that the application will bring: all who ask now would find room.

        Of a caller who leaves before, they are forgotten.
        """
        now = monotonic()
        if now - self._since > FORGOTTEN_S:
            self._coming = 0.0
        self._coming, self._since = self._coming + self._scorer.seconds(texts), now

    def _refusal(self, cost: float) -> BusyError | None:
        if self._coming and monotonic() - self._since > FORGOTTEN_S:
            self._coming = 0.0
        before = self._seconds + self._coming + self._read
        if not before or before + cost <= self._most:
            return None
        return BusyError(f"{before:.1f} s of work wait for the model")

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a function on the thread, behind what waits there."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, function, *arguments)

    def _slices(self, texts: Sequence[str], cost: float) -> Iterator[Sequence[str]]:
        """Yield the texts in parts; a pipeline may round a part unlike the whole."""
        if not self._scorer.is_compiled or cost <= SLICE_S:
            yield texts
            return
        part: list[str] = []
        taken = 0.0
        for text in texts:
            part.append(text)
            taken += self._scorer.seconds((text,))
            if taken >= SLICE_S:
                yield part
                part, taken = [], 0.0
        if part:
            yield part
