"""Finds where a revision that was taken back has users again, or is about to. Pure."""

from scripts.rollout.state.observation import View
from scripts.rollout.state.state import Phase, State

TAKEN_BACK = (Phase.ROLLED_BACK, Phase.ABORTED)


def warning(before: State | None, view: View) -> str:
    """Return what is wrong and the way back, "" if the last canary has no users.

    A version that is applied without 0 percent after a rollback makes KServe roll out
    the revision that was taken back, until the new one is ready.
    """
    if before is None or before.phase not in TAKEN_BACK:
        return ""
    bad, was = before.canary, f"{before.phase} before ({before.reason})"
    if view.rolledout == bad:
        found = f"the stable is {bad}, which was {was}"
    elif view.previous == bad and view.created == view.rolledout:
        found = f"0 percent would give everything to {bad}, which was {was}"
    else:
        return ""
    back = f"the way back to {before.stable}: apply its version once more, in full"
    return f"{found}; {back}"


def is_taken_back(state: State) -> bool:
    """Return whether the canary lost its users, by evidence or by a person."""
    return state.phase in TAKEN_BACK
