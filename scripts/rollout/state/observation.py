"""One look at the world, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from scripts.rollout.state.actions import Answer, Request, Warmed

Row = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Replicas:
    """A revision's pods: how many can answer, and how often they were restarted."""

    ready: int = 0
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class View:
    """The traffic as it is: what is asked for, and what really routes.

    `percent` is what is asked for the canary, None where it was promoted. `routed` is
    the percent of each revision. `failure` says why the newest can never be ready.
    `previous` had all traffic before `rolledout`; equal where the backend went back to
    it. `blocked` says why what is asked for does not come into force.
    `is_idle`: the newest is ready and scaled to zero, its next request will wake it.
    `asked` is what is asked for in the backend's own words. `danger` says why no
    rollout may begin from here, and what to do, where the backend knows a reason.
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

    @classmethod
    def in_force(cls, canary: str, stable: str, percent: int | None) -> "View":
        """Traffic that is as it was asked for, with both arms ready; None: promoted."""
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
    """What the counters gained since the scrape before.

    `metrics`: by name, bad and n of the canary, bad and n of the stable.
    `labels`: by predicted label, of the canary and of the stable.
    `durations`: requests by the upper edge of their bucket in seconds, likewise.
    """

    metrics: Mapping[str, Row]
    labels: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    durations: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def row(self, metric: str) -> Row:
        """One metric's counts, zeros where nobody counts it."""
        return self.metrics.get(metric, (0.0, 0.0, 0.0, 0.0))


@dataclass(frozen=True, slots=True)
class PairedDelta:
    """Outcomes from beside the users' requests: `shadow`, `synthetic`, `feedback`.

    They are compared by themselves, like with like. `counts`: whether as evidence.
    """

    source: str
    delta: Delta
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at the world. None: it did not answer.

    `trouble` says why something could not be read; `status` is HTTP's where an API
    has said no, 0 where nobody did.
    `history`: earlier scrapes of the stable alone, where the source keeps any.
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
