"""A counted split that is not the one that is set: held, said, and right again."""

from dataclasses import replace

import pytest

from scripts.rollout.decision.explaining import conditions, reasons
from scripts.rollout.errors import Exit
from scripts.rollout.journal import codec
from scripts.rollout.state.notes import NoteKind
from scripts.rollout.state.observation import Delta
from scripts.rollout.state.state import Phase, State
from tests.support.worlds import Rollout, policy

STEPS = {"steps": "[50]", "dwell": "3m", "bake": "{duration: 10m}"}


def _counted(canary: int, stable: int, bad: float = 0.0, percent: int = 50) -> Delta:
    errors = (round(bad * canary), canary, 0, stable)
    return Delta({"errors": errors, "latency": (0, canary, 0, stable)}, percent=percent)


def _begun(**keys: str) -> Rollout:
    rollout = Rollout.begun(policy(**{**STEPS, **keys}))
    rollout.until(Phase.STEP, 50)
    return rollout


def _kinds(rollout: Rollout, delta: Delta, looks: int) -> list[NoteKind]:
    return [n.kind for _ in range(looks) for n in rollout.look(delta=delta).notes]


def _held(rollout: Rollout) -> Rollout:
    """No request of a third of the canary's pods is counted."""
    assert _kinds(rollout, _counted(160, 250), 40).count(NoteKind.SPLIT_MOVED) == 1
    return rollout


def test_a_moved_split_holds_the_raise_and_is_said_with_its_likely_cause() -> None:
    rollout = _held(_begun())
    assert (rollout.state.phase, rollout.state.weight) == (Phase.STEP, 50)
    said = "has 39.02% of 16400 counted requests, 50.00% is set; likely a replica of"
    assert said in reasons.waiting(rollout.machine.rules, rollout.state, None)[0]


def test_the_same_counts_are_promoted_where_nobody_knows_what_is_set() -> None:
    rollout = _begun()
    for _ in range(40):
        rollout.look(delta=replace(_counted(160, 250), percent=None))
    assert rollout.state.phase is Phase.BAKE


def test_with_sticky_sessions_the_policy_leaves_the_test_out() -> None:
    rollout = _begun(guards="{splitTolerance: null}")
    assert NoteKind.SPLIT_MOVED not in _kinds(rollout, _counted(160, 250), 40)
    assert rollout.state.phase is Phase.BAKE


def test_a_canary_that_is_worse_is_rolled_back_whatever_the_split() -> None:
    rollout = _held(_begun())
    for _ in range(10):
        rollout.look(delta=_counted(160, 250, bad=0.2))
    assert rollout.state.verdict is Exit.ROLLED_BACK


def test_gates_begin_anew_when_the_split_is_right_again() -> None:
    rollout = _held(_begun())
    said: list[NoteKind] = []
    while NoteKind.SPLIT_RIGHT not in said:
        assert rollout.state.weight == 50
        said = _kinds(rollout, _counted(250, 250), 1)
    assert rollout.state.judged is not None
    assert rollout.state.judged.evidence.gates.value == pytest.approx(1)
    assert rollout.state.weight == 50
    _kinds(rollout, _counted(250, 250), 60)
    assert rollout.state.phase is Phase.BAKE


@pytest.mark.parametrize("percent", [0, 100])
def test_where_one_arm_has_all_there_is_no_split_to_test(percent: int) -> None:
    rollout = _begun()
    rollout.look(delta=_counted(160, 250, percent=percent))
    assert rollout.state.split is None


def test_the_evidence_about_the_split_is_kept_in_the_journal() -> None:
    state = _held(_begun()).state
    again = codec.decode(State, codec.encode(state))
    assert codec.encode(again) == codec.encode(state)
    assert again.is_split_moved


def test_the_verdict_says_how_the_counted_split_came_out() -> None:
    def said(rollout: Rollout) -> tuple[str, bool | None]:
        found = conditions.of(rollout.policy, rollout.state)
        return next((c.said, c.holds) for c in found if c.name == "split")

    right = _begun()
    _kinds(right, _counted(250, 250), 3)
    assert said(right) == (
        "50.00% of 1500 requests were the canary's, 50.00% was set",
        True,
    )
    assert said(_held(_begun()))[1] is False
    assert said(_begun(guards="{splitTolerance: null}"))[1] is None
