"""An API that says no: said in its own words, waited for, and not for ever."""

from typing import Any

import pytest

from scripts.rollout.decision.explaining import reasons
from scripts.rollout.errors import Exit
from scripts.rollout.state.notes import Note, NoteKind
from scripts.rollout.state.observation import Observation
from scripts.rollout.state.state import Decision, Phase
from tests.support.worlds import Rollout, policy, view

NO = "GET /pods: pods is forbidden"


def _at(phase: Phase, **changes: str) -> Rollout:
    rollout = Rollout.begun(policy(**changes))
    rollout.until(phase)
    return rollout


def _refused(rollout: Rollout, status: int = 403, trouble: str = NO) -> Decision:
    return rollout.look(view=None, delta=None, trouble=trouble, status=status)


def test_why_nothing_can_be_read_is_said_once_and_again_when_it_changes() -> None:
    rollout = _at(Phase.STEP)
    assert _refused(rollout).notes == (Note(NoteKind.UNREADABLE, NO),)
    assert _refused(rollout).notes == ()
    assert _refused(rollout, trouble="Unauthorized").notes[0].text == "Unauthorized"
    rollout.look()
    assert _refused(rollout).notes == (Note(NoteKind.UNREADABLE, NO),)


@pytest.mark.parametrize("blind", [{"view": None}, {}], ids=["API", "counters"])
@pytest.mark.parametrize(("status", "trouble"), [(403, NO), (0, "no connection")])
def test_a_refusal_is_waited_for_as_silence_is_and_then_it_goes_on(
    status: int, trouble: str, blind: dict[str, Any]
) -> None:
    rollout = _at(Phase.STEP)
    weight = rollout.state.weight
    for _ in range(30):
        state = rollout.look(delta=None, trouble=trouble, status=status, **blind).state
        assert (state.phase, state.weight, state.verdict) == (Phase.STEP, weight, None)
    rollout.until(Phase.PROMOTED)


@pytest.mark.parametrize(("status", "trouble"), [(403, NO), (0, "no connection")])
def test_a_refusal_ends_as_silence_does_at_the_deadline(
    status: int, trouble: str
) -> None:
    rollout = _at(Phase.STEP)
    while rollout.state.verdict is None:
        _refused(rollout, status, trouble)
    state = rollout.state
    assert (state.phase, state.verdict) == (Phase.HELD, Exit.UNREACHABLE)
    assert state.reason.startswith(f"deadlines.step reached at {state.weight} %: ")
    assert trouble in state.reason


def test_a_weight_that_no_request_has_set_is_held_once_it_is_in_force() -> None:
    rollout = Rollout.begun()
    rollout.until(Phase.STEP)
    while rollout.state.phase is Phase.STEP:
        state = _refused(rollout, 0, "no connection").state
    assert (state.phase, state.verdict, state.is_verified) == (Phase.HELD, None, False)
    rollout.look()
    assert rollout.state.verdict is Exit.UNREACHABLE
    assert (rollout.percent, rollout.state.is_verified) == (rollout.state.weight, True)


def test_what_was_deleted_is_aborted() -> None:
    rollout = _at(Phase.STEP)
    for _ in range(8):
        state = _refused(rollout, 404, "GET /intent: not found").state
    assert (state.phase, state.verdict) == (Phase.ABORTED, Exit.GONE)
    assert state.reason == "the target was deleted: GET /intent: not found"


def test_a_rollback_of_what_was_deleted_has_come_true() -> None:
    rollout = _at(Phase.STEP)
    while rollout.state.phase is not Phase.ROLLING_BACK:
        rollout.look(bad=0.5)
    reason = rollout.state.reason
    for _ in range(8):
        state = _refused(rollout, 404, "not found").state
    assert (state.phase, state.verdict) == (Phase.ROLLED_BACK, Exit.ROLLED_BACK)
    assert state.reason == reason


def test_a_policy_that_rolls_back_when_inconclusive_does_so() -> None:
    rollout = _at(Phase.STEP, onInconclusive="rollback")
    while rollout.state.phase is Phase.STEP:
        _refused(rollout)
    assert rollout.state.phase is Phase.ROLLING_BACK
    assert rollout.state.reason.startswith("guard: deadlines.step reached at ")
    assert NO in rollout.state.reason


def test_what_it_waits_for_names_the_refusal() -> None:
    rollout = _at(Phase.STEP)
    rules, state = rollout.machine.rules, rollout.state
    blind = Observation(0.0, None, None, trouble=NO, status=403)
    assert reasons.waiting(rules, state, blind)[:2] == [
        f"the InferenceService cannot be read: {NO}",
        "no metrics",
    ]
    uncounted = Observation(0.0, view(25), None, trouble=NO, status=403)
    assert reasons.waiting(rules, state, uncounted)[0] == f"no metrics: {NO}"
