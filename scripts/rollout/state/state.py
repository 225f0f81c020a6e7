"""The state of a rollout, and the decision of one look: plain values."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from scripts.rollout.errors import Exit
from scripts.rollout.evidence.arrays import Array
from scripts.rollout.evidence.drift import Labels
from scripts.rollout.evidence.evidence import Evidence
from scripts.rollout.evidence.interval import Interval
from scripts.rollout.evidence.learned import Learned
from scripts.rollout.evidence.split import Split
from scripts.rollout.state.actions import Action
from scripts.rollout.state.baked import Baked
from scripts.rollout.state.notes import Note
from scripts.rollout.state.observation import Delta
from scripts.rollout.state.overrun import Overrun
from scripts.rollout.state.warming import Warming

# Raise it when older journals would be decided differently (see `journal.codec`) or are
# written in another form. 2: a note has a kind beside its text. 3: other gates, windows
# and looks. 4: phi is learned during the rollout. 5: other bets, and more on the way.
# 6: few scrapes give a larger phi.
SCHEMA = 6
# What can go on with rollouts of older schemas, or decide their journals again. Their
# reports are still read.
WRITTEN_BY = {
    1: "commit 728b857",
    2: "commit 018a218",
    3: "commit da9a3dc",
    4: "commit d9582a5",
    5: "commit 81278de",
}
FULL = 100  # percent of all traffic


class Phase(StrEnum):
    """The phase of a rollout."""

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
OUR_OWN_WAY = frozenset({Phase.ROLLING_BACK, Phase.PROMOTING})


class Pause(StrEnum):
    """The reason why the weight stays although the evidence might allow a raise."""

    NONE = ""
    PERSON = "paused by a person"
    APPROVAL = "waits for an approval"
    HAND = "the percent was changed by hand"


@dataclass(frozen=True, slots=True)
class Judged:
    """The evidence, and the estimates it is computed with.

    `pods` (M): the stable's pods that were compared with each other; `allowed` (M): the
    excess that one of them might have by chance, which is none of the canary's code.
    `learned` is what `phi` rests on.
    """

    began: float
    phi: Array
    phi_source: tuple[str, ...]
    evidence: Evidence
    interval: Interval
    label_names: tuple[str, ...]
    labels: Labels
    pods: Array = field(default_factory=lambda: np.zeros(0))
    allowed: Array = field(default_factory=lambda: np.zeros(0))
    learned: Learned = field(default_factory=lambda: Learned(np.zeros(0), 0))


@dataclass(frozen=True)
class State:
    """Everything a promoter needs to go on after it was killed.

    `weight` was requested last; `is_verified` says whether it was observed in force.
    `pause_reason` is the person's.
    `interval`: seconds between looks. `known` are scrapes of the stable before the
    canary got traffic, `learns` is what they are for. `peak_load` is the most requests
    per second that one replica has carried. `ending` and `code` are the outcome of a
    rollback; `verdict` is set when a run has nothing more to wait for. `last_seen`
    describes the traffic as last read. `trouble` says why it cannot be read now;
    `refused_since`: since when the API does not know the target. `over`:
    canary and stable beside `guards.maxErrorRate`; `incident_since`: since when both
    are over it. `warming` is the warm-up, of `pods` pods. Times are in seconds.
    `doubts` about the metrics were said.
    `compared`: when the arms' counts were of the same seconds last, or none was needed.
    `apart_s`: by how much later one arm was read, the most in what was compared.
    `rival_writes`: how often a GitOps controller wrote another percent; `rival_at`: the
    time of the last write of the percent that is known.
    `split` is the evidence that the counted split is not the one that is set.
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
    interval: float = 10.0
    step: int = 0
    weight: int = 0
    is_verified: bool = False
    is_warm: bool = False
    pause: Pause = Pause.NONE
    pause_reason: str = ""
    approved: tuple[int, ...] = ()
    forced: str = ""
    restarts: int = 0
    last_restarts: int = 0
    rps: float = 0.0
    peak_load: float = 0.0
    known: tuple[Delta, ...] = ()
    learns: str = ""
    judged: Judged | None = None
    baked: Baked | None = None
    ending: Phase = Phase.ROLLED_BACK
    code: Exit = Exit.ROLLED_BACK
    verdict: Exit | None = None
    reason: str = ""
    last_seen: str = "nothing"
    trouble: str = ""
    refused_since: float | None = None
    warming: Warming | None = None
    pods: int = 0
    over: tuple[Overrun, Overrun] = (Overrun(), Overrun())
    incident_since: float | None = None
    doubts: tuple[str, ...] = ()
    compared: float = 0.0
    apart_s: float = 0.0
    split: Split | None = None
    rival_writes: int = 0
    rival_at: str = ""
    schema: int = SCHEMA

    @property
    def is_split_moved(self) -> bool:
        """Return whether the counted split is not the one that is set."""
        return self.split is not None and self.split.side != 0

    @property
    def other_version(self) -> str:
        """Return what alone can go on with a state of an older schema, "" if new."""
        if self.schema == SCHEMA:
            return ""
        return (
            f"schema {self.schema}, this version decides by schema {SCHEMA}; "
            f"{WRITTEN_BY[self.schema]} can"
        )

    def changed(self, **changes: Any) -> "State":
        """Return a changed copy; `dataclasses.replace` costs ten times as much."""
        copy: State = object.__new__(State)
        copy.__dict__.update(self.__dict__, **changes)
        return copy

    @property
    def is_over(self) -> bool:
        """Return whether the rollout has ended for good."""
        return self.phase in TERMINAL


@dataclass(frozen=True, slots=True)
class Decision:
    """The result of one look: the next state, actions and notes."""

    state: State
    actions: tuple[Action, ...]
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class Precomputed:
    """Evidence after a look, computed in advance from `before` at one weight."""

    judged: Judged
    before: Judged
    weight: int

    def holds(self, state: State) -> bool:
        """Return whether this evidence continues `state`."""
        return self.before is state.judged and self.weight == state.weight
