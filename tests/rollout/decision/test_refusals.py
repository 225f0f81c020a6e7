"""An API that says no: said in its own words, waited for, and not for ever."""

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


def test_a_refusal_that_lasts_is_held_with_the_apis_sentence() -> None:
    rollout = _at(Phase.STEP)
    weight = rollout.state.weight
    for _ in range(7):
        assert _refused(rollout).state.verdict is None
    state = _refused(rollout).state
    assert (state.phase, state.verdict) == (Phase.HELD, Exit.UNREACHABLE)
    assert state.reason == f"refused for 1m10s: {NO}"
    assert state.weight == weight


def test_counters_that_are_refused_are_no_less_a_refusal() -> None:
    rollout = _at(Phase.PREFLIGHT)
    for _ in range(8):
        rollout.look(delta=None, trouble=NO, status=403)
    assert (rollout.state.phase, rollout.state.verdict) == (
        Phase.HELD,
        Exit.UNREACHABLE,
    )
    assert NO in rollout.state.reason


def test_a_right_that_is_given_in_time_lets_it_go_on() -> None:
    rollout = _at(Phase.STEP)
    for _ in range(7):
        _refused(rollout)
    rollout.look()
    for _ in range(7):
        assert _refused(rollout).state.verdict is None


def test_a_person_who_resumes_gives_it_as_long_again() -> None:
    rollout = _at(Phase.STEP)
    for _ in range(8):
        _refused(rollout)
    rollout.look("resume")
    for _ in range(7):
        assert _refused(rollout).state.verdict is None


def test_silence_is_waited_for_longer_than_a_refusal() -> None:
    rollout = _at(Phase.STEP)
    for _ in range(30):
        state = _refused(rollout, status=0, trouble="no connection").state
    assert (state.phase, state.verdict) == (Phase.STEP, None)


def test_what_was_deleted_is_aborted() -> None:
    rollout = _at(Phase.STEP)
    for _ in range(8):
        state = _refused(rollout, 404, "GET /intent: not found").state
    assert (state.phase, state.verdict) == (Phase.ABORTED, Exit.ABORTED)
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
    for _ in range(8):
        _refused(rollout)
    assert rollout.state.phase is Phase.ROLLING_BACK
    assert rollout.state.reason == f"guard: refused for 1m10s: {NO}"


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
