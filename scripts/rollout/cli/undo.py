"""`undo`: roll back to the previous revision after a promotion."""

from scripts.rollout.cli.options import Common, Named, emit, find
from scripts.rollout.errors import Exit
from scripts.rollout.steering import undo as steering
from scripts.rollout.steering import unsent


def undo(named: Named, common: Common, reason: str) -> Exit:
    """Set 0 percent and wait until the old revision has all traffic, else return 50."""
    journal, saved = find(named, common)
    unsent.send(journal)
    done = steering.undo(common.place, journal, saved, reason, print)
    if not done.is_verified:
        unseen = {"undone": None, "seen": done.said}
        emit(common.output, unseen, f"NOT VERIFIED: {done.said}")
        return Exit.UNVERIFIED
    content = {"undone": saved.state.canary, "stable": saved.state.stable}
    emit(common.output, content, done.said)
    return Exit.PROMOTED
