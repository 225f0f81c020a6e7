"""The port to the counters, and the names that all sources of counters use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

REQUESTS, ERRORS, TIMEOUTS = "requests", "errors", "timeouts"
TIMED, STARTED = "timed", "started"
READ_AT = "at"  # no counter: when an instance was read, in seconds of our clock
UP_TO, LABEL, CONFIDENCE = "le:", "label:", "confidence:"
BAD, TOTAL = "bad:", "total:"
ENDLESS = "+Inf"
MOST = 2.0**53  # no counter is more: beyond that it could not grow by one
METRICS_PAGE = "/metrics"

Sample = Mapping[str, float]
Reading = Mapping[str, Mapping[str, Sample]]
"""Counters since an instance started, by revision and instance; see `counters`."""


def aged(reading: Reading, at: float) -> Reading:
    """Add the time at which every instance was read."""
    return {
        revision: {name: {**sample, READ_AT: at} for name, sample in samples.items()}
        for revision, samples in reading.items()
    }


def merge(before: Reading, now: Reading) -> Reading:
    """Merge two readings: the newest sample of every instance, also of silent ones."""
    return {
        revision: {**before.get(revision, {}), **now.get(revision, {})}
        for revision in {**before, **now}
    }


@dataclass(frozen=True, slots=True)
class Scraped:
    """One reading, and `doubts`: what of the answers is no data, or counts once.

    Where it is not whole, a page has not answered yet: what it lacks may be there.
    `unread`: instances that are there, and of which it says nothing.
    """

    reading: Reading
    doubts: tuple[str, ...] = ()
    is_whole: bool = True
    unread: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Pages:
    """Pages to read: proxies that count requests, if any do, and predictors.

    `with_http`: the predictors count HTTP too, because nobody before them does; without
    `with_grpc` they count no request. `doubts` are said once. `arms`:
    whose a predictor's page is, where it does not say so itself. `doors`: where the
    predictor of a page answers, where that is another port. `clusters`: whose an Envoy
    cluster is, where its name does not say so. `unread` is said where none of the pages
    that count can be read.
    """

    gateways: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    predictors: tuple[str, ...] = ()
    with_http: bool = False
    arms: Mapping[str, str] = field(default_factory=dict)
    doors: Mapping[str, str] = field(default_factory=dict)
    clusters: Mapping[str, str] = field(default_factory=dict)
    with_grpc: bool = True
    doubts: tuple[str, ...] = ()
    unread: str = ""

    @property
    def counting(self) -> tuple[str, ...]:
        """Return the pages without which requests are not counted."""
        return self.gateways or self.queues or self.predictors

    def door(self, page: str) -> str:
        """Return the address of a page's predictor."""
        return self.doors.get(page, page.removesuffix(METRICS_PAGE))


class Metrics(Protocol):
    """Counters of both arms."""

    def read(self, revisions: Sequence[str]) -> Scraped:
        """Return all counters now, None if no source has any. Raises RemoteError."""

    def history(
        self, revision: str, seconds: float, step: float
    ) -> list[tuple[float, Reading]]:
        """Return earlier readings by time, [] if none are kept."""
