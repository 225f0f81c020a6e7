"""The bake counts what it saw: a time without requests promotes nobody."""

import pytest

from scripts.rollout.decision.explaining import reasons
from scripts.rollout.decision.phases import baking
from scripts.rollout.errors import Exit
from scripts.rollout.report import summary
from scripts.rollout.state.baked import Baked
from scripts.rollout.state.notes import NoteKind
from scripts.rollout.state.observation import Delta, PairedDelta
from scripts.rollout.state.state import Phase
from tests.support.worlds import Rollout, policy

SHORT = "{step: 5m, rollout: 2h, metricsSilence: 1m, rollback: 1m}"


def _baking(**changes: str) -> Rollout:
    rollout = Rollout.begun(policy(**changes))
    rollout.until(Phase.BAKE)
    return rollout


@pytest.mark.parametrize(
    ("inconclusive", "code"), [("pause", Exit.HELD), ("rollback", Exit.GUARD)]
)
def test_traffic_that_ends_at_95_percent_promotes_nobody(
    inconclusive: str, code: Exit
) -> None:
    rollout = _baking(onInconclusive=inconclusive, deadlines=SHORT)
    for _ in range(60):
        if rollout.state.code is code or rollout.state.verdict is not None:
            break
        rollout.look(n=0)
    assert rollout.state.phase in (Phase.HELD, Phase.ROLLING_BACK)
    assert rollout.state.code is code
    assert "deadlines.step reached at 95 %: no requests; 30s more with" in (
        rollout.state.reason
    )
    assert "0 of 150 requests of the canary" in rollout.state.reason


@pytest.mark.parametrize("arm", [0, 1])
def test_one_arm_alone_is_no_bake(arm: int) -> None:
    """All to the canary is no comparison, nothing to it no test."""
    rollout = _baking()
    counts = [(0.0, 0.0), (0.0, 0.0)]
    counts[arm] = (0.0, 1000.0)
    row = (*counts[0], *counts[1])
    for _ in range(30):
        rollout.look(delta=Delta({"errors": row, "latency": row}))
    assert rollout.state.phase is Phase.BAKE
    (said, *_) = reasons.waiting(rollout.machine.rules, rollout.state, None)
    assert said.endswith("with requests of both arms: the bake has had 0s of 30s")


def test_it_lasts_until_the_least_number_of_requests() -> None:
    """Two requests a second: 150 to the canary take 80 seconds, not 30."""
    rollout = _baking()
    for _ in range(7):
        rollout.look(n=20)
    waits = reasons.waiting(rollout.machine.rules, rollout.state, None)
    assert waits == ["133 of 150 requests of the canary"]
    assert summary.eta_s(rollout.machine.rules, rollout.state) == pytest.approx(9, 0.1)
    last = rollout.look(n=20)
    assert rollout.state.phase is Phase.PROMOTING
    (said,) = [note.text for note in last.notes if note.kind is NoteKind.BAKED]
    assert said == (
        "the bake saw 152 requests of the canary, 8 of the stable, in 1m20s"
    )


def test_with_traffic_it_is_as_long_as_the_policy_says() -> None:
    rollout = _baking()
    phases = [rollout.look().state.phase for _ in range(3)]
    assert phases == [Phase.BAKE, Phase.BAKE, Phase.PROMOTING]


def test_a_gap_counts_a_minute_at_most() -> None:
    baked = Baked(100.0).add(9, 0, 110.0).add(0, 1, 130.0)
    assert (baked.seconds, baked.canary, baked.stable) == (30, 9, 1)
    baked = baked.add(0, 0, 1900.0).add(5, 5, 2000.0)
    assert baked.seconds == 90
    assert baked.add(5, 0, 2010.0).seconds == 90


def test_what_it_needs_shows_the_smallest_budget() -> None:
    """150 at 2 %: a canary worse by that has no more bad ones in 5 % of bakes."""
    needed = baking.requests_needed(policy())
    assert needed == 150
    assert (1 - 0.02) ** needed == pytest.approx(0.05, rel=0.1)
    assert baking.requests_needed(policy(bake="{duration: 0s}")) == 0
    assert baking.forecast_s(policy(), 10.0) == 30
    assert baking.forecast_s(policy(), 1.0) == pytest.approx(158, abs=1)


@pytest.mark.parametrize(
    ("stands", "phase"), [("true", "Promoting"), ("false", "Bake")]
)
def test_pairs_are_a_bake_only_where_they_stand_for_users(
    stands: str, phase: str
) -> None:
    shadow = f"{{share: 20%, standsForUsers: {stands}}}"
    rollout = Rollout.begun(policy(shadow=shadow))
    row = (0.0, 0.0, 0.0, 60.0)
    pairs = PairedDelta("shadow", {"errors": row, "latency": row})
    while rollout.state.phase is not Phase.BAKE:
        rollout.look(beside=(pairs,))
        assert rollout.state.tick < 200
    for _ in range(3):
        rollout.look(n=0, beside=(pairs,))
    assert rollout.state.phase == phase
