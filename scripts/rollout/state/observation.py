"""One observation of traffic and counters, as plain values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from scripts.rollout.state.actions import Answer, Request, Warmed

Row = tuple[float, float, float, float]
PairRow = tuple[float, float, float, float]
"""Pairs: only the canary's answer bad, only the stable's, both, and how many."""
Outcomes = tuple[float, float]  # bad ones, and all


@dataclass(frozen=True, slots=True)
class Replicas:
    """One revision's pods: how many are ready, and their restarts so far."""

    ready: int = 0
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class View:
    """The observed traffic: the split that is set, and the split that is routed.

    `percent` is the canary's weight as set, None after a promotion. `routed` is the
    percent of each revision. `failure` says why the newest can never become ready.
    `previous` had all traffic before `rolledout`; they are equal where the backend
    went back to it. `blocked` says why the split that is set is not routed.
    `is_idle`: the newest is ready and scaled to zero; its next request wakes it.
    `asked` is the split that is set, in the backend's own words. `danger` says why no
    rollout may begin from here, and what to do, where the backend knows a reason.
    `writer` is the field manager that set the percent last, at the time `written`.
    `formerly`: the name that a revision had until it was known which model it has.
    """

    created: str
    ready: str
    rolledout: str
    percent: int | None
    routed: Mapping[str, int]
    replicas: Mapping[str, Replicas]
    failure: str = ""
    previous: str = ""
    blocked: str = ""
    is_idle: bool = False
    asked: str = ""
    danger: str = ""
    writer: str = ""
    written: str = ""
    formerly: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def in_force(cls, canary: str, stable: str, percent: int | None) -> "View":
        """Return traffic routed as set, with both arms ready; None means promoted."""
        weight = 100 if percent is None else percent
        return cls(
            created=canary,
            ready=canary,
            rolledout=canary if percent is None else stable,
            percent=percent,
            routed={canary: weight, stable: 100 - weight},
            replicas={canary: Replicas(1), stable: Replicas(1)},
        )


@dataclass(frozen=True, slots=True)
class Delta:
    """The increase of the counters since the previous scrape.

    `metrics`: metric to (canary bad, canary n, stable bad, stable n).
    `labels`: predicted label to (canary, stable).
    `durations`: upper edge of a bucket in seconds to requests (canary, stable).
    `seconds`: the time in which all of it was counted, 0 where that is not known.
    `apart_s`: by how much later one arm was read. `is_carried`: nothing is compared
    yet, because one arm did not move, or in other seconds than the other.
    `pods`: metric to each of the stable's pods to (bad, n), while the canary has no
    traffic and where pods are told apart.
    `percent`: the canary's weight that was in force meanwhile, None where it is not
    known or not the same all the time.
    """

    metrics: Mapping[str, Row]
    labels: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    durations: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    seconds: float = 0.0
    apart_s: float = 0.0
    is_carried: bool = False
    pods: Mapping[str, Mapping[str, Outcomes]] = field(default_factory=dict)
    percent: int | None = None

    @property
    def is_apart(self) -> bool:
        """Whether both arms moved, and cannot be compared."""
        return self.is_carried and self.apart_s > 0

    def row(self, metric: str) -> Row:
        """Return one metric's counts, zeros where none were read."""
        return self.metrics.get(metric, (0.0, 0.0, 0.0, 0.0))


def pods_of(deltas: Iterable[Delta]) -> dict[str, dict[str, Outcomes]]:
    """Add up what each of the stable's pods gained, by metric."""
    found: dict[str, dict[str, Outcomes]] = {}
    for delta in deltas:
        for metric, rows in delta.pods.items():
            total = found.setdefault(metric, {})
            for pod, (bad, n) in rows.items():
                before = total.get(pod, (0.0, 0.0))
                total[pod] = (before[0] + bad, before[1] + n)
    return found


@dataclass(frozen=True, slots=True)
class PairedDelta:
    """Outcomes counted beside the users' requests: shadow, synthetic or feedback.

    Canary and stable answered the same requests, so they are counted in pairs.
    `counts`: whether they are evidence. `percent`: the largest weight that the canary
    had when users got the answers that `feedback` has the labels of.
    """

    source: str
    metrics: Mapping[str, PairRow] = field(default_factory=dict)
    counts: bool = True
    percent: int = 0

    def row(self, metric: str) -> PairRow:
        """Return one metric's counts, zeros where there are none."""
        return self.metrics.get(metric, (0.0, 0.0, 0.0, 0.0))


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything that one look observes; None where a source did not answer.

    `trouble` says why something could not be read; `status` is the HTTP status of an
    API's refusal, 0 without one.
    `history`: earlier scrapes of the stable alone, where the source keeps any.
    `doubts`: what of the metrics' answers is no data, and why.
    """

    time: float
    view: View | None
    delta: Delta | None
    requests: tuple[Request, ...] = ()
    warmed: Warmed | None = None
    history: tuple[Delta, ...] = ()
    answer: Answer | None = None
    beside: tuple[PairedDelta, ...] = ()
    trouble: str = ""
    status: int = 0
    doubts: tuple[str, ...] = ()
