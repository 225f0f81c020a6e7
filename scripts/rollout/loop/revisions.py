"""Which revisions a rollout is of, and what came beside them since its last look."""

from dataclasses import replace

from scripts.rollout.decision import machine
from scripts.rollout.errors import RemoteError, RolloutError
from scripts.rollout.state.actions import Action, SetPercent
from scripts.rollout.state.observation import View
from scripts.rollout.state.state import FULL, Phase, State


def named(state: State, view: View | None) -> State:
    """Return the state by the names of revisions that have become known."""
    formerly = {} if view is None else view.formerly
    names = {was: name for name, was in formerly.items()}
    if not {state.canary, state.stable} & names.keys():
        return state
    canary, stable = (names.get(each, each) for each in (state.canary, state.stable))
    return replace(state, canary=canary, stable=stable)


def is_late(action: Action, state: State, view: View | RemoteError) -> bool:
    """Return whether an action of before would give its weight to a newer version."""
    raises = isinstance(action, SetPercent) and action.percent != 0
    if not raises or not isinstance(view, View):
        return False
    return view.created != named(state, view).canary


def check_promotion(state: State, view: View) -> None:
    """Raise RolloutError if a percent has come back after the promotion."""
    if state.phase is Phase.PROMOTED and view.percent not in (None, FULL):
        raise RolloutError(machine.unsafe(view) or f"{state.canary} was undone by hand")
