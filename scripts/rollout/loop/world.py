"""What the loop needs from the world; one adapter a file, none knows another."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from scripts.rollout.journal.port import Journal
from scripts.rollout.metrics.port import Metrics
from scripts.rollout.shadow.pairs import PairSource
from scripts.rollout.state.actions import Answer, Consult
from scripts.rollout.state.state import State
from scripts.rollout.traffic.port import Traffic


class Hooks(Protocol):
    """Those whose word is asked for, beside the loop."""

    def ask(self, consult: Consult, state: State) -> None:
        """Begin to ask, if that has not begun yet."""

    def answer(self) -> Answer | None:
        """What was said since the last time."""

    def is_ready(self) -> bool:
        """Whether there is something that was said."""


@dataclass(frozen=True, slots=True)
class World:
    """Everything outside: ports, the time in seconds, how to wait, who listens.

    `settles_s`: how long a weight may take to be in force, in seconds.
    """

    traffic: Traffic
    metrics: Metrics
    journal: Journal
    now: Callable[[], float]
    sleep: Callable[[float], None]
    say: Callable[[str], None]
    hooks: Hooks | None = None
    pair_sources: tuple[PairSource, ...] = ()
    settles_s: float = 5.0
