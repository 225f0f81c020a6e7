"""`undo`: roll back to the previous revision after a promotion."""

import time
from dataclasses import replace

from scripts.rollout import wiring
from scripts.rollout.cli.options import Common, Named, emit, find, policy_of
from scripts.rollout.cli.telling import unsent
from scripts.rollout.decision import taken_back
from scripts.rollout.decision.explaining import reasons
from scripts.rollout.errors import Exit, RemoteError, RolloutError
from scripts.rollout.loop import observe
from scripts.rollout.state.observation import View
from scripts.rollout.state.state import FULL, Phase, State

POLL_S = 0.2  # a weight comes into force within seconds


def undo(named: Named, common: Common, reason: str) -> Exit:
    """Set 0 percent and wait until the old revision has all traffic, else return 50."""
    journal, saved = find(named, common)
    unsent.send(journal)
    state, policy = saved.state, policy_of(journal, saved)
    traffic = wiring.traffic(common.place, policy)
    if state.phase is not Phase.PROMOTED:
        raise _nothing(state, observe.view(traffic))
    with journal.lock():
        journal.load(repair=True)
        view = observe.view(traffic)
        if isinstance(view, View) and view.created != state.canary:
            raise RolloutError(
                f"{view.created} is newer than {state.canary}: undo that"
            )
        traffic.set_weight(0)
        deadline = time.monotonic() + policy.deadlines.rollback
        while isinstance(view, RemoteError) or view.routed.get(state.stable) != FULL:
            if time.monotonic() > deadline:
                seen = f"nothing: {view}"
                if isinstance(view, View):
                    seen = reasons.traffic(view)
                unseen = {"undone": None, "seen": seen}
                emit(common.output, unseen, f"NOT VERIFIED: {seen}")
                return Exit.UNVERIFIED
            time.sleep(POLL_S)
            view = observe.view(traffic)
        reason = f"undone by a person: {reason}".removesuffix(": ")
        undone = state.changed(
            phase=Phase.ABORTED, verdict=Exit.ABORTED, reason=reason, weight=0
        )
        body = {"reason": reason, "routed": dict(view.routed)}
        heard = wiring.broadcast(common.place, policy, journal, None, print)
        heard.commit(replace(saved, state=undone), "undo", body)
    content = {"undone": state.canary, "stable": state.stable}
    said = f"{state.stable} has all traffic again", policy.backend.after_rollback
    emit(common.output, content, "\n".join(filter(None, said)))
    return Exit.PROMOTED


def _nothing(state: State, view: View | RemoteError) -> RolloutError:
    """Return why nothing is undone, and the way back where that is needed."""
    said = f"nothing to undo: {state.canary} is {state.phase}"
    danger = taken_back.warning(state, view) if isinstance(view, View) else ""
    return RolloutError("; ".join(filter(None, (said, danger))))
