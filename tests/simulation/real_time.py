"""Puts simulated time, threads and disks in the place of the adapters' real ones."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import cache
from typing import IO, Any, Self
from unittest.mock import patch

from scripts.rollout.cluster import lease
from scripts.rollout.journal import file
from scripts.rollout.metrics import scrape
from scripts.rollout.policy import reader
from scripts.rollout.traffic import fence, warming
from tests.simulation.clock import Clock

parsed = cache(reader.parse)  # YAML costs more than all else of a short rollout


class Times:
    """The module `time`, of a simulation."""

    def __init__(self, clock: Clock) -> None:
        """Show the time of `clock`."""
        self._clock = clock

    def time(self) -> float:
        """Jump where the clock does."""
        return self._clock.wall()

    def monotonic(self) -> float:
        """Never jump."""
        return self._clock.now

    perf_counter = monotonic

    def sleep(self, seconds: float) -> None:
        """Let others run."""
        self._clock.sleep(seconds)


def dates(clock: Clock) -> type[datetime]:
    """Return `datetime` of a simulation."""

    class Dates(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(clock.wall(), tz or UTC)

    return Dates


@dataclass
class Later:
    """An answer that is there from a time on."""

    clock: Clock
    due: float
    value: Any

    def done(self) -> bool:
        """Tell whether it is there."""
        return self.clock.now >= self.due

    def result(self) -> Any:
        """Give the answer."""
        return self.value


class Pool:
    """Threads of a simulation: each call is done at once, its answer may come later."""

    clock: Clock
    late_s: float = 0.0

    def __init__(self, workers: int) -> None:
        """Begin none."""

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """End."""

    def map(self, call: Callable[[Any], Any], each: Iterable[Any]) -> list[Any]:
        """Call one by one."""
        return [call(one) for one in each]

    def submit(self, call: Callable[..., Any], *arguments: Any) -> Later:
        """Call now; what the call makes late is there late."""
        clock, pool = self.clock, type(self)
        pool.late_s = 0.0
        value = call(*arguments)
        return Later(clock, clock.now + pool.late_s, value)


def _waiting(clock: Clock) -> Callable[..., None]:
    def wait(answers: Iterable[Later], timeout: float) -> None:
        last = max((each.due for each in answers), default=clock.now)
        clock.sleep(min(max(last - clock.now, 0.0), timeout))

    return wait


@contextmanager
def simulated(clock: Clock, sync: Callable[[IO[Any]], None]) -> Iterator[None]:
    """Replace what the adapters take from the machine; `sync` stands for fsync."""
    times = Times(clock)
    Pool.clock = clock
    replaced: Sequence[tuple[object, str, object]] = (
        (lease, "time", times),
        (lease, "datetime", dates(clock)),
        (scrape, "time", times),
        (scrape, "ThreadPoolExecutor", Pool),
        (scrape, "wait", _waiting(clock)),
        (fence, "time", times),
        (warming, "time", times),
        (warming, "ThreadPoolExecutor", Pool),
        (file, "time", times),
        (file, "_sync", sync),
        (reader, "parse", parsed),
    )
    patches = [patch.object(*each) for each in replaced]
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in patches:
            each.stop()
