"""The ports of the loop: everything that it needs from outside."""

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
    """Consults the policy's hooks without delaying the loop."""

    def ask(self, consult: Consult, state: State) -> None:
        """Begin to ask, unless the same question is open or was just answered."""

    def answer(self) -> Answer | None:
        """Return the answer that came since the last call, None without one."""

    def is_ready(self) -> bool:
        """Return whether an answer has come."""


@dataclass(frozen=True, slots=True)
class World:
    """Everything outside: ports, the clock (seconds), waiting, a line of output.

    `settles_s`: seconds within which a weight usually comes into force. A look waits
    so long for it, or not at all where that is longer than a look should be.
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
