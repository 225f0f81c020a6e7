"""Sends many requests at a given rate and summarises split, latency and codes."""

import math
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count

from scripts.inference.clients import Answer, Ask

Z95 = 1.959964


@dataclass(frozen=True, slots=True)
class Share:
    """A revision's share of the answers, with its 95 % Wilson interval."""

    revision: str
    answers: int
    share: float
    low: float
    high: float

    def holds(self, wanted: float) -> bool:
        """Return whether the interval contains a share."""
        return self.low <= wanted <= self.high


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of a run; latencies in milliseconds."""

    requests: int
    failed: int
    codes: dict[str, int]
    split: list[Share]
    latency_ms: dict[str, float]


def send(
    connect: Callable[[], Ask],
    texts: Sequence[str],
    *,
    total: int,
    rate: float | None,
    concurrency: int,
    on_answer: Callable[[Answer], None],
    stopping: threading.Event | None = None,
) -> list[Answer]:
    """Send `total` requests, the texts in turn, at most `rate` per second.

    Each worker has a connection of its own. `on_answer` is called from one worker at a
    time. Setting `stopping` ends it early.
    """
    numbers = count()
    lock = threading.Lock()
    stopping = stopping or threading.Event()
    answers: list[Answer] = []
    start = time.monotonic()

    def work() -> None:
        ask = connect()
        while True:
            with lock:
                number = next(numbers)
            if number >= total:
                return
            if rate is not None:
                stopping.wait(max(0.0, start + number / rate - time.monotonic()))
            if stopping.is_set():
                return
            answer = ask(texts[number % len(texts)])
            with lock:
                answers.append(answer)
                on_answer(answer)

    with ThreadPoolExecutor(concurrency) as pool:
        workers = [pool.submit(work) for _ in range(concurrency)]
        try:
            for worker in workers:
                worker.result()
        finally:
            stopping.set()
    return answers


def summarise(answers: Sequence[Answer]) -> Summary:
    """Count answers by revision and code, and compute latency quantiles."""
    served = [answer for answer in answers if not answer.error]
    revisions = Counter(answer.revision for answer in served)
    latencies = sorted(answer.latency_ms for answer in answers)
    return Summary(
        requests=len(answers),
        failed=len(answers) - len(served),
        codes=dict(Counter(answer.code for answer in answers)),
        split=[
            Share(
                name,
                number,
                number / len(served),
                *wilson_interval(number, len(served)),
            )
            for name, number in sorted(revisions.items())
        ],
        latency_ms={
            name: quantile(latencies, share)
            for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))
        },
    )


def wilson_interval(successes: int, total: int) -> tuple[float, float]:
    """Return the 95 % score interval of a share (Wilson 1927)."""
    share = successes / total
    centre = share + Z95**2 / (2 * total)
    spread = Z95 * math.sqrt(share * (1 - share) / total + (Z95 / (2 * total)) ** 2)
    scale = 1 + Z95**2 / total
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the nearest-rank quantile of sorted values."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@contextmanager
def steady(
    connect: Callable[[], Ask], texts: Sequence[str], rate: float, concurrency: int
) -> Iterator[list[Answer]]:
    """Send `rate` requests per second until the block ends; yield the answers."""
    answers: list[Answer] = []
    stopping = threading.Event()
    load = partial(
        send,
        connect,
        texts,
        total=sys.maxsize,
        rate=rate,
        concurrency=concurrency,
        on_answer=answers.append,
        stopping=stopping,
    )
    thread = threading.Thread(target=load)
    thread.start()
    try:
        yield answers
    finally:
        stopping.set()
        thread.join()
