"""A cluster in a folder: it outlives its promoter, and counts the same every time.

What is seen depends on the number of looks alone, so that a rollout that was killed
and one that was not see the same counters.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from scripts.rollout.journal.file import FileJournal
from scripts.rollout.loop.runner import Runner
from scripts.rollout.loop.world import World
from scripts.rollout.metrics.port import Reading, Scraped
from scripts.rollout.state.actions import Warmed, WarmUp
from scripts.rollout.state.observation import View
from tests.support.worlds import CANARY, POLICY, STABLE, policy, view

INTERVAL_S, RPS = 10, 100


class FolderWorld:
    """Traffic, metrics and clock below one folder."""

    def __init__(self, folder: Path, bad: float = 0.0) -> None:
        """The canary fails a share `bad` of its requests."""
        self.folder, self.bad = folder, bad
        self.journal = FileJournal(folder / "rollout")
        self.said: list[str] = []
        self._world = folder / "world.json"
        if not self._world.exists():
            self._save({"percent": 0, "seen": {}})

    def now(self) -> float:
        """Ten seconds a look."""
        saved = self.journal.load()
        return 1000.0 + INTERVAL_S * (0 if saved is None else saved.state.tick + 1)

    def observe(self) -> View:
        """What was asked for is in force at once."""
        return view(self._load()["percent"])

    def set_weight(self, percent: int) -> None:
        """In force at once."""
        self.ask(percent)

    def promote(self) -> None:
        """In force at once."""
        self.ask(None)

    def ask(self, percent: int | None) -> None:
        """Remember what was asked for; None promotes."""
        self._save({**self._load(), "percent": percent})

    def warm_up(self, asked: WarmUp) -> Warmed:
        """Everything answers."""
        return Warmed(asked.requests, 0)

    def read(self, revisions: Sequence[str]) -> Scraped:
        """Counters up to this look: the same for the same look, however often."""
        assert STABLE in revisions
        world, key = self._load(), f"{self.now():.0f}"
        if key not in world["seen"]:
            last = list(world["seen"].values())[-1:] or [[0, 0, 0]]
            share = 100 if world["percent"] is None else world["percent"]
            canary = INTERVAL_S * RPS * share // 100
            bad = round(canary * self.bad)
            stable = INTERVAL_S * RPS - canary
            gained = (bad, canary, stable)
            total = [a + b for a, b in zip(last[0], gained, strict=True)]
            world["seen"][key] = total
            self._save(world)
        bad, canary, stable = world["seen"][key]
        return Scraped({CANARY: _sample(bad, canary), STABLE: _sample(0, stable)})

    def history(
        self, revision: str, seconds: float, step: float
    ) -> list[tuple[float, Reading]]:
        """None is kept."""
        del revision, seconds, step
        return []

    def runner(self, sleep: Callable[[float], None] = lambda _: None) -> Runner:
        """A promoter of the test policy."""
        world = World(self, self, self.journal, self.now, sleep, self.said.append)
        return Runner(policy(), POLICY, world)

    def lines(self) -> list[dict[str, Any]]:
        """The journal, without what a restart adds or changes."""
        text = self.journal.path.read_text()
        records = [json.loads(line) for line in text.splitlines()]
        kept = [each for each in records if each["kind"] != "restart"]
        return [{**each, "hash": "", "seq": 0} for each in kept]

    def _load(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self._world.read_text())
        return content

    def _save(self, world: dict[str, Any]) -> None:
        temporary = self._world.with_suffix(".new")
        temporary.write_text(json.dumps(world))
        temporary.replace(self._world)


def _sample(bad: float, n: float) -> dict[str, dict[str, float]]:
    counted = {"errors": bad, "requests": n, "timed": n, "le:0.25": n}
    return {"gateway": {**counted, "label:hello": n}}
