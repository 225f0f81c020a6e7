"""Carries out a person's requests: abort, pause, resume, approve, promote."""

from scripts.rollout.decision.draft import Draft
from scripts.rollout.errors import Exit
from scripts.rollout.state import actions
from scripts.rollout.state.actions import Request
from scripts.rollout.state.notes import NoteKind
from scripts.rollout.state.state import Pause, Phase

PROMOTE, PROMOTE_FULL = "promote", "promote-full"


def answer(draft: Draft, request: Request) -> None:
    """Carry out one request, or note why it changes nothing."""
    why = f": {request.reason}" if request.reason else ""
    match request.verb:
        case actions.UNREADABLE:
            damaged = f"a request cannot be read, ask again: {request.reason}"
            draft.say(NoteKind.REQUEST_DAMAGED, damaged)
        case "abort":
            reason = f"aborted by a person{why}"
            draft.roll_back(Phase.ABORTED, reason, Exit.ABORTED)
        case "pause" if draft.state.pause in (Pause.NONE, Pause.APPROVAL):
            draft.change(pause=Pause.PERSON, pause_reason=request.reason)
            draft.say(NoteKind.PAUSED, f"paused by a person{why}")
        case "resume":
            _resume(draft)
        case "approve":
            _approve(draft, why)
        case verb if verb in (PROMOTE, PROMOTE_FULL):
            note = f"{verb} asked by a person, whatever the evidence{why}"
            draft.change(forced=verb)
            draft.say(NoteKind.ORDERED, note)
            if draft.state.phase is Phase.HELD:
                _resume(draft)


def is_promoted_by_order(draft: Draft) -> bool:
    """Promote at once if a person ordered `promote-full` and it is possible now."""
    may = draft.state.phase in (Phase.PREFLIGHT, Phase.WARMUP, Phase.STEP, Phase.BAKE)
    if draft.state.forced == PROMOTE_FULL and may and draft.can_rise:
        draft.promote()
        return True
    return False


def _approve(draft: Draft, why: str) -> None:
    weight, approved = draft.state.weight, draft.state.approved
    if weight not in draft.policy.pause_at or weight in approved:
        nothing = f"nothing waits for an approval at {weight} %"
        draft.say(NoteKind.NOTHING_TO_APPROVE, nothing)
        return
    draft.change(approved=(*approved, weight))
    draft.say(NoteKind.APPROVED, f"{weight} % approved{why}")
    if draft.state.pause is Pause.APPROVAL:
        draft.change(pause=Pause.NONE)


def _resume(draft: Draft) -> None:
    state = draft.state
    if state.phase is Phase.HELD:
        now = state.now
        draft.change(phase=state.held_from, entered=now, began=now, heard=now)
        draft.change(reason="")
        draft.say(NoteKind.RESUMED, "resumed")
    if state.pause is Pause.HAND:
        _resume_from_hand(draft)
    elif state.pause is Pause.PERSON:
        draft.change(pause=Pause.NONE)
        draft.say(NoteKind.RESUMED, "resumed")


def _resume_from_hand(draft: Draft) -> None:
    """Go on from the weight that was set by hand, if the evidence has been there.

    From a higher one, go on from the last step that the evidence has reached.
    """
    state = draft.state
    below = [i for i, percent in enumerate(state.steps) if percent <= state.weight]
    draft.change(pause=Pause.NONE, entered=state.now)
    weight, where = 0, "at 0 %"
    if state.phase is Phase.BAKE and state.weight >= draft.policy.bake.percent:
        weight, where = draft.policy.bake.percent, "in the bake"
    elif state.phase in (Phase.STEP, Phase.BAKE) and below:
        was_there = state.phase is Phase.BAKE or max(below) < state.step
        step = min(max(below), state.step)
        draft.change(phase=Phase.STEP, step=step)
        weight = state.weight if was_there else state.steps[step]
        where = f"at {weight} %"
    elif state.phase in (Phase.STEP, Phase.BAKE):
        draft.change(phase=Phase.WARMUP, step=0)
        where = "before the first step"
    draft.ask_for(weight)
    draft.say(NoteKind.RESUMED, f"resumed {where}")
