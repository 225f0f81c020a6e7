"""What is, whatever was asked for: revisions, percents by hand, guards, deadlines."""

from scripts.rollout.decision import reasons
from scripts.rollout.decision.draft import ALL, Look
from scripts.rollout.errors import Exit
from scripts.rollout.state.state import JUDGED, Pause, Phase

OUR_OWN_WAY = (Phase.ROLLING_BACK, Phase.PROMOTING)


def revisions(look: Look) -> None:
    """Is the canary still the newest, and is what was asked for in force?"""
    state, view = look.state, look.view
    if view is None:
        return
    look.change(last_seen=reasons.traffic(view))
    is_promoted = (
        view.rolledout == state.canary and view.routed.get(state.canary) == ALL
    )
    if is_promoted and state.phase is not Phase.ROLLING_BACK:
        how = "" if state.phase is Phase.PROMOTING else " by a person's patch"
        look.end(Phase.PROMOTED, Exit.PROMOTED, f"{state.canary} promoted{how}")
    elif view.created != state.canary and state.phase is not Phase.ROLLING_BACK:
        newer = f"superseded: {view.created} is newer than {state.canary}"
        look.roll_back(Phase.SUPERSEDED, newer, Exit.SUPERSEDED)
    elif view.percent == state.weight:
        is_routable = view.ready == state.canary
        due = state.weight if is_routable else 0
        if view.routed.get(state.canary, 0) == due:
            look.change(is_verified=True)
    elif state.is_verified and state.phase not in OUR_OWN_WAY:
        _by_hand(look, ALL if view.percent is None else view.percent)


def _by_hand(look: Look, percent: int) -> None:
    before = look.state.weight
    note = f"the percent was changed by hand from {before} to {percent}: "
    look.ask_for(percent, f"{note}it stays there until resume, evidence goes on")
    look.change(pause=Pause.HAND, entered=look.state.now)


def canary(look: Look) -> None:
    """Guards: restarts, a revision that failed, one that is not ready for too long."""
    state, guards = look.state, look.policy.guards
    if look.view is None or state.phase in OUR_OWN_WAY or state.is_over:
        return
    restarts = state.restarts + max(look.replicas.restarts - state.last_restarts, 0)
    look.change(restarts=restarts, last_restarts=look.replicas.restarts)
    if look.is_ready:
        look.change(was_ready=state.now)
    unready_s = state.now - look.state.was_ready
    if restarts > guards.max_restarts:
        look.guard(f"{restarts} restarts, {guards.max_restarts} are allowed")
    elif look.view.failure:
        look.guard(f"{state.canary} failed: {look.view.failure}")
    elif unready_s > guards.ready_timeout:
        look.guard(f"{state.canary} is not ready for {reasons.duration(unready_s)}")


def deadlines(look: Look) -> None:
    """Has it waited long enough? Then it is held, or rolled back, never promoted."""
    state, limits = look.state, look.policy.deadlines
    if state.phase not in (Phase.PREFLIGHT, Phase.WARMUP, *JUDGED):
        return
    silent_s = state.now - state.heard
    is_silent = silent_s > limits.metrics_silence
    if is_silent:
        silence = f"no metrics for {reasons.duration(silent_s)}"
        look.notes.append(f"{silence}: traffic is held at {state.weight} %")
    patience = limits.step
    if state.phase is Phase.BAKE:
        patience += look.policy.bake.duration
    waited_s = look.policy.open_s(state.entered, state.now)
    is_late = state.pause is Pause.NONE and waited_s > patience
    if not is_late and look.policy.open_s(state.began, state.now) <= limits.rollout:
        return
    which = "step" if is_late else "rollout"
    why = "; ".join(reasons.waiting(look.rules, state, look.seen))
    reason = f"deadlines.{which} reached at {state.weight} %: {why}"
    if look.policy.on_inconclusive == "rollback":
        look.guard(reason)
        return
    code = Exit.UNREACHABLE if is_silent else Exit.HELD
    if state.pause is Pause.APPROVAL:
        code = Exit.PAUSED
    look.change(phase=Phase.HELD, held_from=state.phase, code=code)
    look.change(reason, reason=reason, verdict=code)
