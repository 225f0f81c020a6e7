"""The bench in small: the bars hold, and its arrays decide what the machine decides."""

import numpy as np
import pytest

from scripts.rollout.decision import measurement
from scripts.rollout.decision.machine import Machine
from scripts.rollout.state.observation import (
    Delta,
    Observation,
    PairedDelta,
    Replicas,
    View,
)
from scripts.rollout.state.state import Phase, State
from tests.bench.decisions import (
    BROKEN,
    BUDGET,
    CELLS,
    INTERVAL_S,
    misses,
    run,
    variants,
)
from tests.bench.ours import Ours
from tests.bench.streams import Array, Cell, Scrape, Seen, Stream

WEIGHTS = sorted({95, 100, *range(1, 51)})
ROLLOUTS = 8


def test_the_bars_hold_in_a_small_run() -> None:
    wanted = ("identical", BUDGET, BROKEN)
    cells = [cell for cell in CELLS if cell.name in wanted or cell.cluster > 1]
    found = {cell: run(cell, 50.0, 150, seed=3) for cell in cells}
    assert len(found) == 4
    assert list(misses(found)) == []


def test_a_missed_bar_is_seen() -> None:
    cell = Cell("identical")
    outcomes = run(cell, 50.0, 20, seed=1)
    from dataclasses import replace

    slow = [replace(outcomes[0], minutes_passed=3.6), *outcomes[1:]]
    assert list(misses({cell: slow})) == [
        "ours, steps auto: through the last gate in 3.60 min, bar 3.5"
    ]
    wild = [replace(outcomes[0], rolled_back=0.5), *outcomes[1:]]
    assert list(misses({cell: wild})) == ["ours, steps auto: false rollbacks 0.5"]


class Single:
    """One rollout on the product's machine, in a world that obeys at once."""

    def __init__(self, ours: Ours, row: int) -> None:
        """Begin at the first step with what `ours` knows of the stable."""
        self.row, policy = row, ours.policy
        self.machine = Machine(policy)
        bad, n = ours.known[0][row], ours.known[1][row]
        known = [Delta({"errors": (0, 0, bad[0], n), "latency": (0, 0, bad[1], n)})]
        design = self.machine.rules.design(ours.steps)
        phi = ours.phi[row]
        self.state = State(
            canary="canary",
            stable="stable",
            began=0.0,
            now=0.0,
            entered=0.0,
            heard=0.0,
            was_ready=0.0,
            phase=Phase.STEP,
            steps=ours.steps,
            weight=ours.steps[0],
            is_verified=True,
            judged=measurement.begin(policy, design, known, (phi, ("", "")), 0.0),
        )

    @property
    def weight(self) -> int:
        """Percent of the canary."""
        return self.state.weight

    def see(self, seen: Seen, now_s: float) -> None:
        """One look, and the next at once where something was asked for."""
        users = (seen.canary_bad, seen.canary_n, seen.stable_bad, seen.stable_n)
        beside: tuple[PairedDelta, ...] = ()
        shadow = self.machine.rules.policy.shadow
        if shadow is not None:
            pairs = seen.pairs[shadow.share]
            both = (pairs.only_canary, pairs.only_stable, pairs.both, pairs.n)
            beside = (PairedDelta("shadow", self._delta(*both).metrics),)
        look = Observation(now_s, self._view(), self._delta(*users), beside=beside)
        self.state = self.machine.step(self.state, look).state
        if not self.state.is_verified:
            again = Observation(now_s, self._view(), None)
            self.state = self.machine.step(self.state, again).state

    def _delta(self, *columns: Array) -> Delta:
        rows = [
            (a[self.row, m], b[self.row, m], c[self.row, m], d[self.row, m])
            for a, b, c, d in [columns]
            for m in (0, 1)
        ]
        return Delta(dict(zip(("errors", "latency"), rows, strict=True)))

    def _view(self) -> View:
        is_last = self.state.phase is Phase.PROMOTING
        weight = self.state.weight
        return View(
            created="canary",
            ready="canary",
            rolledout="canary" if is_last else "stable",
            percent=None if is_last else weight,
            routed={"canary": weight, "stable": 100 - weight},
            replicas={name: Replicas(1) for name in ("canary", "stable")},
        )


@pytest.mark.parametrize("variant", variants(50.0)[:6], ids=lambda each: each.name)
@pytest.mark.parametrize(
    "cell", [Cell("good"), Cell("bad", errors=0.02), Cell("clusters", cluster=4)]
)
def test_the_arrays_decide_what_the_machine_decides(
    variant: object, cell: Cell
) -> None:
    from tests.bench.ours import Variant

    assert isinstance(variant, Variant)
    stream = Stream(cell, ROLLOUTS, 50.0, INTERVAL_S, WEIGHTS, seed=5)
    ours = Ours(variant, stream, ROLLOUTS, 50.0)
    singles = [Single(ours, row) for row in range(ROLLOUTS)]
    for number in range(1, 60):
        scrape: Scrape = stream.scrape()
        alike = np.array([single.weight for single in singles])
        assert alike.tolist() == ours.weight.tolist(), f"scrape {number}"
        seen = scrape.at(ours.weight)
        ours.see(seen, number * INTERVAL_S)
        for single in singles:
            if not single.state.is_over:
                single.see(seen, number * INTERVAL_S)
    ended = [single.state.phase is Phase.PROMOTED for single in singles]
    assert ended == (~np.isnan(ours.promoted)).tolist()
