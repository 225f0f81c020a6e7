"""A backend for tests alone: traffic and counters in a dict."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import urllib3

from scripts.rollout.errors import RolloutError
from scripts.rollout.metrics.port import (
    ERRORS,
    REQUESTS,
    Pages,
    Reading,
    Scraped,
)
from scripts.rollout.policy.backends import Backend
from scripts.rollout.policy.policy import Target
from scripts.rollout.state.actions import Warmed, WarmUp
from scripts.rollout.state.observation import View
from scripts.rollout.traffic.port import Place

ROW = Backend(
    adapter="tests.support.memory:MemoryTraffic",
    target="inferenceservice",
    counted_by=("memory",),
    journal="folder",
    shortest_look_s=0.2,
    settles_s=0.1,
    after_promotion="write 100 into the dict",
    after_rollback="write 0 into the next dict",
)
CANARY, STABLE, REQUESTS_A_READ = "v2", "v1", 1000


@dataclass
class World:
    """What one name has: the percent that was asked for, and both arms' counters."""

    bad: float = 0.0
    percent: int | None = 0
    asked: list[int | None] = field(default_factory=list)
    counters: dict[str, dict[str, float]] = field(
        default_factory=lambda: {
            arm: {REQUESTS: 0.0, ERRORS: 0.0} for arm in (CANARY, STABLE)
        }
    )


WORLDS: dict[str, World] = {}


class MemoryTraffic:
    """One name of WORLDS; it counts its own requests."""

    counted_by = "memory"

    def __init__(self, world: World) -> None:
        """Take what the dict holds."""
        self._world, self.http = world, urllib3.PoolManager()

    @classmethod
    def of(cls, place: Place, target: Target, counted_by: str) -> Self:
        """The world of the target's name. Raises RolloutError."""
        del place, counted_by
        if target.name not in WORLDS:
            raise RolloutError(f"{target.name} is not in the dict")
        return cls(WORLDS[target.name])

    def observe(self) -> View:
        """What was asked for is in force."""
        return View.in_force(CANARY, STABLE, self._world.percent)

    def set_weight(self, percent: int) -> None:
        """At once."""
        self._ask(percent)

    def promote(self) -> None:
        """At once."""
        self._ask(None)

    def _ask(self, percent: int | None) -> None:
        self._world.asked.append(percent)
        self._world.percent = percent

    def warm_up(self, asked: WarmUp) -> Warmed:
        """Everything answers."""
        return Warmed(asked.requests, 0)

    def metrics(self) -> Self:
        """The traffic counts by itself."""
        return self

    def pages(self, revisions: Sequence[str]) -> Pages | None:
        """There are none."""
        del revisions
        return None

    def read(self, revisions: Sequence[str]) -> Scraped:
        """Counters after some more requests, split as was asked for."""
        percent = self._world.percent
        weight = 100 if percent is None else percent
        for arm, share in ((CANARY, weight), (STABLE, 100 - weight)):
            gained = REQUESTS_A_READ * share / 100
            sample = self._world.counters[arm]
            sample[REQUESTS] += gained
            sample[ERRORS] += gained * (self._world.bad if arm == CANARY else 0.0)
        found = {arm: {"dict": dict(self._world.counters[arm])} for arm in revisions}
        return Scraped(found)

    def history(
        self, revision: str, seconds: float, step: float
    ) -> list[tuple[float, Reading]]:
        """None is kept."""
        del revision, seconds, step
        return []
