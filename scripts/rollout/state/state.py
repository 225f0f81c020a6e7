"""What a rollout remembers, sees, and does: plain values, no behaviour but reading."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from scripts.rollout.errors import Exit
from scripts.rollout.evidence.arrays import Array
from scripts.rollout.evidence.drift import Labels
from scripts.rollout.evidence.evidence import Evidence
from scripts.rollout.evidence.interval import Interval
from scripts.rollout.state.actions import Action, Answer, Request, Warmed

SCHEMA = 1

Row = tuple[float, float, float, float]


class Phase(StrEnum):
    """Where a rollout is."""

    PREFLIGHT = "Preflight"
    WARMUP = "Warmup"
    STEP = "Step"
    BAKE = "Bake"
    PROMOTING = "Promoting"
    ROLLING_BACK = "RollingBack"
    HELD = "Held"
    PROMOTED = "Promoted"
    ROLLED_BACK = "RolledBack"
    ABORTED = "Aborted"
    SUPERSEDED = "Superseded"


TERMINAL = frozenset(
    {Phase.PROMOTED, Phase.ROLLED_BACK, Phase.ABORTED, Phase.SUPERSEDED}
)
JUDGED = frozenset({Phase.STEP, Phase.BAKE})


class Pause(StrEnum):
    """Why the weight does not rise although the evidence might allow it."""

    NONE = ""
    PERSON = "paused by a person"
    APPROVAL = "waits for an approval"
    HAND = "the percent was changed by hand"


@dataclass(frozen=True, slots=True)
class Replicas:
    """A revision's pods: how many can answer, and how often they were restarted."""

    ready: int = 0
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class View:
    """The InferenceService as it is: what is asked for, and what really routes.

    `percent` is canaryTrafficPercent, None where the field is absent. `routed` is the
    percent of each revision. `failure` says why the newest can never be ready.
    `previous` had all traffic before `rolledout`; equal where KServe went back to it.
    `blocked` says why what is asked for does not come into force.
    `is_idle`: the newest is ready and scaled to zero, its next request will wake it.
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
class Beside:
    """Outcomes from beside the users' requests: `shadow`, `synthetic`, `feedback`.

    They are compared by themselves, like with like. `counts`: whether as evidence.
    """

    source: str
    delta: Delta
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at the world. None: it did not answer.

    `history`: earlier scrapes of the stable alone, where the source keeps any.
    """

    time: float
    view: View | None
    delta: Delta | None
    requests: tuple[Request, ...] = ()
    warmed: Warmed | None = None
    history: tuple[Delta, ...] = ()
    answer: Answer | None = None
    beside: tuple[Beside, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """The evidence, and what it is built on."""

    began: float
    phi: Array
    phi_source: tuple[str, ...]
    evidence: Evidence
    interval: Interval
    label_names: tuple[str, ...]
    labels: Labels


@dataclass(frozen=True)
class State:
    """All that a promoter must know to go on after it was killed.

    `weight` is what was asked for last; `is_verified` whether it was seen in force.
    `known` are scrapes of the stable before the canary got traffic. `peak_load` is the
    most requests a second that one replica was seen to carry. `ending` and `code` are
    where a rollback leads; `verdict` is set where a run has nothing more to wait for.
    `last_seen` is the traffic as it could be read last, in words.
    """

    canary: str
    stable: str
    began: float
    now: float
    entered: float
    heard: float
    was_ready: float
    tick: int = 0
    phase: Phase = Phase.PREFLIGHT
    held_from: Phase = Phase.PREFLIGHT
    steps: tuple[int, ...] = ()
    step: int = 0
    weight: int = 0
    is_verified: bool = False
    is_warm: bool = False
    pause: Pause = Pause.NONE
    approved: tuple[int, ...] = ()
    forced: str = ""
    restarts: int = 0
    last_restarts: int = 0
    rps: float = 0.0
    peak_load: float = 0.0
    known: tuple[Delta, ...] = ()
    judged: Judged | None = None
    ending: Phase = Phase.ROLLED_BACK
    code: Exit = Exit.ROLLED_BACK
    verdict: Exit | None = None
    reason: str = ""
    last_seen: str = "nothing"
    schema: int = SCHEMA

    def changed(self, **changes: Any) -> "State":
        """A copy with other values; `dataclasses.replace` costs ten times as much."""
        copy: State = object.__new__(State)
        copy.__dict__.update(self.__dict__, **changes)
        return copy

    @property
    def is_over(self) -> bool:
        """Whether nothing can change any more."""
        return self.phase in TERMINAL


@dataclass(frozen=True, slots=True)
class Decision:
    """The state after one look, what to do, and what to say about it."""

    state: State
    actions: tuple[Action, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Foreseen:
    """Evidence after a look, worked out before, from `before` at one weight."""

    judged: Judged
    before: Judged
    weight: int

    def holds(self, state: State) -> bool:
        """Whether it follows from this state."""
        return self.before is state.judged and self.weight == state.weight
