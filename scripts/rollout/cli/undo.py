"""`undo`: after a promotion, back to the revision before."""

import argparse
import time
from dataclasses import replace

from scripts.rollout import wiring
from scripts.rollout.cli import target
from scripts.rollout.cli.output import emit
from scripts.rollout.decision import reasons
from scripts.rollout.errors import Exit, RemoteError, RolloutError
from scripts.rollout.loop import observe
from scripts.rollout.state.observation import View
from scripts.rollout.state.state import FULL, Phase
from scripts.rollout.traffic.port import Place

POLL_S = 0.2  # a weight comes into force within seconds


def run(options: argparse.Namespace) -> Exit:
    """Set 0 and see the old revision with all traffic; 50 where that cannot be seen."""
    journal = target.journal(options)
    saved = target.loaded(journal)
    state, policy = saved.state, target.policy(saved)
    if state.phase is not Phase.PROMOTED:
        raise RolloutError(f"nothing to undo: {state.canary} is {state.phase}")
    traffic = wiring.traffic(Place(options.dir), policy)
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
                emit(options, {"undone": None, "seen": seen}, f"NOT VERIFIED: {seen}")
                return Exit.UNVERIFIED
            time.sleep(POLL_S)
            view = observe.view(traffic)
        reason = f"undone by a person: {options.reason}".removesuffix(": ")
        undone = state.changed(
            phase=Phase.ABORTED, verdict=Exit.ABORTED, reason=reason, weight=0
        )
        body = {"reason": reason, "routed": dict(view.routed)}
        heard = wiring.broadcast(Place(options.dir), policy, journal, None, print)
        heard.commit(replace(saved, state=undone), "undo", body)
    content = {"undone": state.canary, "stable": state.stable}
    emit(options, content, f"{state.stable} has all traffic again")
    return Exit.PROMOTED
