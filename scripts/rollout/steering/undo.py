"""Rolls back to the previous revision after a promotion."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from scripts.rollout import wiring
from scripts.rollout.decision import taken_back
from scripts.rollout.decision.explaining import reasons
from scripts.rollout.errors import Exit, RemoteError, RolloutError
from scripts.rollout.journal.port import SharedJournal
from scripts.rollout.journal.saved import Saved
from scripts.rollout.loop import observe
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.observation import View
from scripts.rollout.state.state import FULL, Phase, State
from scripts.rollout.steering.ask import person
from scripts.rollout.steering.seen import policy_of
from scripts.rollout.traffic.port import CountedTraffic, Place

POLL_S = 0.2  # a weight comes into force within seconds


@dataclass(frozen=True, slots=True)
class Undone:
    """Whether the previous revision was seen to have all traffic, else what was."""

    is_verified: bool
    said: str


def undo(
    place: Place,
    journal: SharedJournal,
    saved: Saved,
    reason: str,
    say: Callable[[str], None],
) -> Undone:
    """Set 0 percent and wait until the old revision has all traffic.

    Raises RolloutError if there is nothing to undo.
    """
    state, policy = saved.state, policy_of(journal, saved)
    traffic = wiring.traffic(place, policy)
    if state.phase is not Phase.PROMOTED:
        raise _nothing(state, observe.view(traffic))
    with journal.lock():
        journal.load(repair=True)
        view = _taken_back(traffic, state, policy)
        if isinstance(view, RemoteError) or view.routed.get(state.stable) != FULL:
            seen = f"nothing: {view}"
            if isinstance(view, View):
                seen = reasons.traffic(view)
            return Undone(is_verified=False, said=seen)
        asked = {"asked": reason, "by": person(), "time": time.time()}
        reason = f"undone by a person: {reason}".removesuffix(": ")
        undone = state.changed(
            phase=Phase.ABORTED, verdict=Exit.ABORTED, reason=reason, weight=0
        )
        body = {"reason": reason, "routed": dict(view.routed), **asked}
        heard = wiring.broadcast(place, policy, journal, None, say)
        heard.commit(replace(saved, state=undone), "undo", body)
    said = f"{state.stable} has all traffic again", policy.backend.after_rollback
    return Undone(is_verified=True, said="\n".join(filter(None, said)))


def _taken_back(
    traffic: CountedTraffic, state: State, policy: Policy
) -> View | RemoteError:
    """Set 0 percent; return what is routed then, or was when the time was over."""
    view = observe.view(traffic)
    if isinstance(view, View) and view.created != state.canary:
        raise RolloutError(f"{view.created} is newer than {state.canary}: undo that")
    traffic.set_weight(0)
    deadline = time.monotonic() + policy.rollback_s
    while isinstance(view, RemoteError) or view.routed.get(state.stable) != FULL:
        if time.monotonic() > deadline:
            return view
        time.sleep(POLL_S)
        view = observe.view(traffic)
    return view


def _nothing(state: State, view: View | RemoteError) -> RolloutError:
    """Return why nothing is undone, and the way back where that is needed."""
    said = f"nothing to undo: {state.canary} is {state.phase}"
    danger = taken_back.warning(state, view) if isinstance(view, View) else ""
    return RolloutError("; ".join(filter(None, (said, danger))))
