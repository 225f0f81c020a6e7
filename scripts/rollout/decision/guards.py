"""Checks that need no evidence: superseded, changed by hand, guards, deadlines."""

from dataclasses import replace
from http import HTTPStatus

from scripts.rollout import text
from scripts.rollout.decision import paired, rivals
from scripts.rollout.decision.draft import Draft
from scripts.rollout.decision.explaining import conditions, reasons
from scripts.rollout.errors import Exit
from scripts.rollout.evidence.split import Split
from scripts.rollout.state.notes import Note, NoteKind
from scripts.rollout.state.observation import Delta
from scripts.rollout.state.state import FULL, JUDGED, OUR_OWN_WAY, Pause, Phase

WAITING = (Phase.PREFLIGHT, Phase.WARMUP, *JUDGED)


def revisions(draft: Draft) -> None:
    """Check that the canary is still the newest and that its weight is in force."""
    state, view = draft.state, draft.view
    if view is None:
        return
    draft.change(last_seen=reasons.traffic(view))
    rivals.see(draft, view)
    is_promoted = (
        view.rolledout == state.canary and view.routed.get(state.canary) == FULL
    )
    if is_promoted and state.phase is not Phase.ROLLING_BACK:
        assumed = paired.assumption(draft.policy)
        said = f"{state.canary} promoted" + (f"; {assumed}" if assumed else "")
        note = Note(NoteKind.PROMOTED, said)
        if state.phase is not Phase.PROMOTING:
            by_hand = f"{state.canary} promoted by a person's patch"
            note = Note(NoteKind.PROMOTED_BY_HAND, by_hand)
        draft.end(Phase.PROMOTED, Exit.PROMOTED, note)
    elif view.created != state.canary and state.phase is not Phase.ROLLING_BACK:
        newer = f"superseded: {view.created} is newer than {state.canary}"
        draft.roll_back(Phase.SUPERSEDED, newer, Exit.SUPERSEDED)
    elif view.percent == state.weight:
        is_routable = view.ready == state.canary
        due = state.weight if is_routable else 0
        if view.routed.get(state.canary, 0) == due:
            draft.change(is_verified=True)
    elif rivals.is_rewritten(draft, view):
        return
    elif state.is_verified and state.phase not in OUR_OWN_WAY:
        _by_hand(draft, FULL if view.percent is None else view.percent)


def _by_hand(draft: Draft, percent: int) -> None:
    before = draft.state.weight
    draft.say(
        NoteKind.CHANGED_BY_HAND,
        f"the percent was changed by hand from {before} to {percent}: it stays there "
        "until resume, evidence goes on",
    )
    draft.ask_for(percent)
    draft.change(pause=Pause.HAND, entered=draft.state.now)


def canary(draft: Draft) -> None:
    """Roll back after too many restarts, a failed revision or one not ready in time."""
    state, guards = draft.state, draft.policy.guards
    if draft.view is None or state.phase in OUR_OWN_WAY or state.is_over:
        return
    restarts = state.restarts + max(draft.replicas.restarts - state.last_restarts, 0)
    draft.change(restarts=restarts, last_restarts=draft.replicas.restarts)
    if draft.is_ready:
        draft.change(was_ready=state.now)
    _scaled_up(draft)
    unready_s = state.now - draft.state.was_ready
    if restarts > guards.max_restarts:
        draft.guard(f"{restarts} restarts, {guards.max_restarts} are allowed")
    elif draft.view.failure:
        draft.guard(f"{state.canary} failed: {draft.view.failure}")
    elif unready_s > draft.policy.ready_timeout_s:
        draft.guard(f"{state.canary} is not ready for {text.duration(unready_s)}")


def _scaled_up(draft: Draft) -> None:
    """Say that pods came after the warm-up: their cold start is judged."""
    state, ready = draft.state, draft.replicas.ready
    if state.phase not in JUDGED or not 0 < state.pods < ready:
        return
    draft.change(pods=ready)
    draft.say(
        NoteKind.SCALED_UP,
        f"{state.canary} has {ready} pods, {state.pods} before: what users meet of the "
        "new ones' cold start is judged as the canary's",
    )


def incident(draft: Draft, delta: Delta) -> None:
    """Hold the raise while both arms fail more than `maxErrorRate`; say it once.

    The name of the first metric is errors.
    """
    state, limit = draft.state, draft.policy.guards.max_error_rate
    row = delta.row(draft.policy.metrics[0].name)
    canary = state.over[0].add(limit, row[0], row[1], state.now)
    stable = state.over[1].add(limit, row[2], row[3], state.now)
    draft.change(over=(canary, stable))
    since = state.incident_since
    if since is None and canary.is_over and stable.is_over:
        draft.change(incident_since=state.now)
        both = reasons.incident(draft.policy, draft.state)
        draft.say(NoteKind.BOTH_FAIL, f"{both}: nothing is raised until that is over")
    elif since is not None and not (canary.excess and stable.excess):
        draft.change(incident_since=None)
        most, lasted = text.share(limit), text.duration(state.now - since)
        draft.say(
            NoteKind.BOTH_RECOVERED,
            f"not both arms fail more than {most} any more, after {lasted}",
        )


def split(draft: Draft, delta: Delta) -> None:
    """Hold the raise while the counted split is not the one that is set; say it once.

    What was counted before it is right again opens no gate: nobody knows whose
    requests those were. It stays evidence for a rollback.
    """
    tolerance, percent = draft.policy.guards.split_tolerance, delta.percent
    _, canary, _, stable = delta.row(draft.policy.metrics[0].name)
    if tolerance is None or not percent or percent == FULL or not canary + stable:
        return
    state, counts = draft.state, (canary, stable)
    before = state.split or Split.begin(state.now)
    after = before.add(percent / FULL, tolerance, counts, state.now)
    draft.change(split=after)
    if after.side and not before.side:
        moved = conditions.moved_split(draft.state)
        held = f"{moved}: nothing is raised until that is over"
        draft.say(NoteKind.SPLIT_MOVED, held)
    elif before.side and not after.side:
        assert state.judged is not None
        gates = state.judged.evidence.gates.anew()
        evidence = replace(state.judged.evidence, gates=gates)
        draft.change(judged=replace(state.judged, evidence=evidence))
        lasted = text.duration(state.now - before.since)
        draft.say(
            NoteKind.SPLIT_RIGHT,
            f"the counted split is the one that is set again, after {lasted}; gates "
            "count from here",
        )


def refusals(draft: Draft) -> None:
    """Report why something cannot be read; end where the target was deleted.

    An API that refuses is waited for like one that is away: a right may be given back,
    and a promoter that ends leaves traffic unwatched.
    """
    state, seen = draft.state, draft.seen
    if seen.trouble != state.trouble:
        draft.change(trouble=seen.trouble)
        if seen.trouble:
            draft.say(NoteKind.UNREADABLE, seen.trouble)
    if seen.view is not None or seen.status != HTTPStatus.NOT_FOUND:
        if state.refused_since is not None:
            draft.change(refused_since=None)
        return
    since = state.now if state.refused_since is None else state.refused_since
    draft.change(refused_since=since)
    if state.now - since > draft.policy.metrics_silence_s:
        _end_gone(draft, seen.trouble)


def _end_gone(draft: Draft, trouble: str) -> None:
    """End the rollout because its target was deleted, and its traffic with it."""
    state = draft.state
    note = Note(NoteKind.GONE, f"the target was deleted: {trouble}")
    if state.phase is Phase.ROLLING_BACK:
        draft.end(state.ending, state.code, note)
    else:
        draft.end(Phase.ABORTED, Exit.GONE, note)


def deadlines(draft: Draft) -> None:
    """Hold or roll back, never promote, when a deadline has passed."""
    state, limits = draft.state, draft.policy.deadlines
    if state.phase not in WAITING:
        return
    is_silent = _is_silent(draft)
    patience = limits.step
    if state.phase is Phase.BAKE:
        patience += draft.policy.bake.duration
    waited_s = draft.policy.open_s(state.entered, state.now)
    is_late = state.pause is Pause.NONE and waited_s > patience
    if not is_late and draft.policy.open_s(state.began, state.now) <= limits.rollout:
        return
    which = "step" if is_late else "rollout"
    why = "; ".join(reasons.waiting(draft.rules, state, draft.seen))
    reason = f"deadlines.{which} reached at {state.weight} %: {why}"
    code = Exit.UNREACHABLE if is_silent else Exit.HELD
    if state.pause is Pause.APPROVAL:
        code = Exit.PAUSED
    _hold(draft, reason, code)


def _is_silent(draft: Draft) -> bool:
    """Say how long there are no metrics, or none that can be compared."""
    state, delta = draft.state, draft.seen.delta
    silent_s, silence = state.now - state.heard, "no metrics"
    if delta is not None and delta.is_apart:
        silent_s = state.now - max(state.compared, state.entered)
        apart = text.duration(delta.apart_s)
        silence = f"the arms are read {apart} apart, nothing to compare"
    if silent_s <= draft.policy.metrics_silence_s:
        return False
    held = f"traffic is held at {state.weight} %"
    draft.say(NoteKind.NO_METRICS, f"{silence} for {text.duration(silent_s)}: {held}")
    return True


def _hold(draft: Draft, reason: str, code: Exit) -> None:
    """Stay at this weight until a person resumes; roll back if the policy says so."""
    state = draft.state
    if draft.policy.on_inconclusive == "rollback":
        draft.guard(reason)
        return
    draft.change(phase=Phase.HELD, held_from=state.phase, entered=state.now)
    draft.change(reason=reason, code=code, verdict=code if state.is_verified else None)
    draft.say(NoteKind.DEADLINE, reason)
