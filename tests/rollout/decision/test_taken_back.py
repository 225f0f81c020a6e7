"""A revision that was taken back has users again: said, with the way back."""

import pytest

from scripts.rollout.decision import taken_back
from scripts.rollout.state.state import Phase
from tests.support.worlds import CANARY, STABLE, Rollout, view

NEWER = "r-00003"


def _ended(phase: Phase) -> Rollout:
    rollout = Rollout.begun()
    rollout.until(Phase.STEP)
    if phase is Phase.ROLLED_BACK:
        while not rollout.state.is_over:
            rollout.look(bad=0.5)
    elif phase is Phase.ABORTED:
        rollout.look("abort")
    rollout.until(phase)
    return rollout


@pytest.mark.parametrize("phase", [Phase.ROLLED_BACK, Phase.ABORTED])
def test_a_stable_that_was_taken_back_is_named_with_the_way_back(phase: Phase) -> None:
    state = _ended(phase).state
    trapped = view(0, created=NEWER, rolledout=CANARY, previous=CANARY)
    said = taken_back.warning(state, trapped)
    assert said.startswith(f"the stable is {CANARY}, which was {phase} before (")
    assert said.endswith(f"back to {STABLE}: apply its version once more, in full")


def test_zero_percent_that_would_give_it_everything_is_named() -> None:
    state = _ended(Phase.ABORTED).state
    after = view(None, created=NEWER, ready=NEWER, rolledout=NEWER, previous=CANARY)
    said = taken_back.warning(state, after)
    assert said.startswith(f"0 percent would give everything to {CANARY}, which was ")


def test_a_promotion_and_a_good_stable_are_no_trap() -> None:
    state = _ended(Phase.PROMOTED).state
    assert taken_back.warning(state, view(0, created=NEWER, rolledout=CANARY)) == ""
    state = _ended(Phase.ABORTED).state
    assert taken_back.warning(state, view(0, created=NEWER)) == ""
    assert taken_back.warning(None, view(0)) == ""
