"""What a journal keeps from one look to the next."""

from dataclasses import dataclass, field

from scripts.rollout.journal import chain
from scripts.rollout.metrics.port import Reading
from scripts.rollout.shadow.pairs import Disagreements
from scripts.rollout.state.actions import Warmed
from scripts.rollout.state.state import State


@dataclass(frozen=True, slots=True)
class Saved:
    """What is on disk: the state, and the counters it came from.

    `kind` is the last line's: after "look", its actions may not have been done.
    `apart`: answers that wait for their true labels.
    """

    state: State
    policy: str
    reading: Reading = field(default_factory=dict)
    read_at: float = 0.0
    warmed: Warmed | None = None
    requests: int = 0
    apart: Disagreements = field(default_factory=dict)
    seq: int = 0
    kind: str = ""
    hash: str = chain.FIRST
    line: str = ""
