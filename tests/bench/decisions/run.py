"""Runs one cell: every policy on the same requests, some hundred rollouts at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.bench.decisions import variants
from tests.bench.decisions.known import Known
from tests.bench.decisions.ours import Ours
from tests.bench.decisions.peers.managed import Guardrail, OnService
from tests.bench.decisions.peers.sequential import AlwaysValid, GroupSequential
from tests.bench.decisions.peers.tools import INTERVAL_S, Argo, Flagger, Kayenta, ZTest
from tests.bench.decisions.situations.tables import Table
from tests.bench.decisions.world.cells import Cell
from tests.bench.decisions.world.rates import Array
from tests.bench.decisions.world.reading import AT_ONCE, Readings
from tests.bench.decisions.world.streams import Seen, Stream

ALARMS = ((0.01, 0.02), (0.05, 0.05))  # shares of errors and of slow answers
SKEWED_S = 1.0  # a tick where arms are read at different seconds


@dataclass(frozen=True, slots=True)
class Ends:
    """How each rollout of one policy ended: seconds or NaN, and its bad answers."""

    policy: str
    rolled_back: Array
    promoted: Array
    passed: Array
    bad: Array
    path: tuple[tuple[float, float], ...] = ()
    pairs_rps: float = 0.0

    @classmethod
    def joined(cls, parts: Sequence["Ends"]) -> "Ends":
        """The rollouts of all parts."""
        first = parts[0]
        a, b, c, d = (
            np.concatenate([getattr(each, name) for each in parts])
            for name in ("rolled_back", "promoted", "passed", "bad")
        )
        return cls(first.policy, a, b, c, d, first.path, first.pairs_rps)


class Player:
    """A policy beside its requests since its last look."""

    def __init__(self, decider: Any, stream: Stream, tick_s: float) -> None:
        """Nothing seen yet."""
        self.decider = decider
        self.bad = np.zeros(stream.rollouts)
        self._every = round(decider.interval_s / tick_s)
        policy = decider.policy if isinstance(decider, Ours) else None
        self._readings = Readings(stream.cell.read, stream.rollouts, tick_s, policy)
        self._ticks = 0

    @property
    def is_on(self) -> bool:
        """Whether any rollout is undecided."""
        return bool(self.decider.is_on.any())

    def over(self, seen: Seen, tick_s: float, rest_s: float, harm_rps: float) -> None:
        """One tick later; harm goes on for `rest_s` after a promotion."""
        decider, on = self.decider, self.decider.is_on
        self._ticks += 1
        self.bad += np.where(on, seen.excess, 0.0)
        self._readings.add(seen, decider.weight)
        if self._ticks % self._every:
            return
        now_s = self._ticks * tick_s
        decider.see(self._readings.take(now_s, on), now_s)
        ended = on & ~decider.is_on & ~np.isnan(decider.promoted)
        self.bad += np.where(ended, harm_rps * rest_s, 0.0)


def run(table: Table, cell: Cell, rollouts: int, seed: int = 1) -> list[Ends]:
    """All policies of a table on the requests of one cell."""
    mine = [variants.variant(name) for name in table.variants]
    paths = [variants.path(each, table.rps) for each in mine]
    is_skewed = cell.read != AT_ONCE
    tick_s = SKEWED_S if is_skewed else min(INTERVAL_S, *(s for _, s in paths))
    weights = {5, 10, 20, 25, 30, 40, 50, 95}.union(*(steps for steps, _ in paths))
    stream = Stream(cell, rollouts, table.rps, tick_s, sorted(weights), seed)
    known = Known(stream.history(cell.scrapes))
    deciders: list[Any] = [Ours(each, known, stream, table.rps) for each in mine]
    if table.is_managed:
        deciders = [OnService(each, INTERVAL_S) for each in deciders]
        deciders += [Guardrail(rollouts, INTERVAL_S, *each) for each in ALARMS]
    if table.with_peers:
        deciders += peers(rollouts)
    players = [Player(each, stream, tick_s) for each in deciders]
    ticks = round(table.minutes * 60 / tick_s)
    for number in range(1, ticks + 1):
        tick = stream.tick()
        on = [each for each in players if each.is_on]
        for each in on:
            seen = tick.at(each.decider.weight)
            rest_s = (ticks - number) * tick_s
            each.over(seen, tick_s, rest_s, table.rps * cell.harm)
        if not on:
            break
    return [_ends(each, table.rps) for each in players]


def peers(rollouts: int) -> list[Any]:
    """The others; one of each tool's limits suits the service."""
    return [
        Flagger(rollouts, INTERVAL_S, 300),
        Argo(rollouts, INTERVAL_S, 0),
        Argo(rollouts, INTERVAL_S, 3),
        Kayenta(rollouts, INTERVAL_S),
        ZTest(rollouts, INTERVAL_S, 60),
        GroupSequential(rollouts, INTERVAL_S),
        AlwaysValid(rollouts, INTERVAL_S),
    ]


def _ends(player: Player, rps: float) -> Ends:
    decider = player.decider
    passed = getattr(decider, "passed", decider.promoted)
    found = (decider.rolled_back, decider.promoted, passed, player.bad)
    if not isinstance(decider, Ours):
        return Ends(decider.name, *found)
    first = (float(decider.steps[0]), decider.interval_s)
    path = (first, (float(decider.steps[-1]), np.inf))
    return Ends(decider.name, *found, path, decider.policy.pairs_rps(rps))
