"""What a person asks for during a rollout: abort, pause, resume, approve, promote."""

from scripts.rollout.decision.draft import Look
from scripts.rollout.errors import Exit
from scripts.rollout.state.actions import Request
from scripts.rollout.state.state import Pause, Phase

PROMOTE, PROMOTE_FULL = "promote", "promote-full"


def answer(look: Look, request: Request) -> None:
    """Do as asked, or say why not."""
    why = f": {request.reason}" if request.reason else ""
    match request.verb:
        case "abort":
            reason = f"aborted by a person{why}"
            look.roll_back(Phase.ABORTED, reason, Exit.ABORTED)
        case "pause" if look.state.pause in (Pause.NONE, Pause.APPROVAL):
            look.change(f"paused by a person{why}", pause=Pause.PERSON)
        case "resume":
            _resume(look)
        case "approve":
            _approve(look, why)
        case verb if verb in (PROMOTE, PROMOTE_FULL):
            note = f"{verb} asked by a person, whatever the evidence{why}"
            look.change(note, forced=verb)
            if look.state.phase is Phase.HELD:
                _resume(look)


def is_promoted_by_order(look: Look) -> bool:
    """Go to all traffic at once where that was asked for and is possible."""
    may = look.state.phase in (Phase.PREFLIGHT, Phase.WARMUP, Phase.STEP, Phase.BAKE)
    if look.state.forced == PROMOTE_FULL and may and look.can_rise:
        look.promote()
        return True
    return False


def _approve(look: Look, why: str) -> None:
    weight, approved = look.state.weight, look.state.approved
    if weight not in look.policy.pause_at or weight in approved:
        look.notes.append(f"nothing waits for an approval at {weight} %")
        return
    look.change(f"{weight} % approved{why}", approved=(*approved, weight))
    if look.state.pause is Pause.APPROVAL:
        look.change(pause=Pause.NONE)


def _resume(look: Look) -> None:
    state = look.state
    if state.phase is Phase.HELD:
        now = state.now
        look.change(phase=state.held_from, entered=now, began=now, heard=now)
        look.change("resumed", reason="")
    if state.pause is Pause.HAND:
        _resume_from_hand(look)
    elif state.pause is Pause.PERSON:
        look.change("resumed", pause=Pause.NONE)


def _resume_from_hand(look: Look) -> None:
    """Go on from the last step that is not above where the hand left it."""
    state = look.state
    below = [i for i, percent in enumerate(state.steps) if percent <= state.weight]
    look.change(pause=Pause.NONE, entered=state.now)
    if state.phase is Phase.BAKE and state.weight >= look.policy.bake.percent:
        look.ask_for(look.policy.bake.percent, "resumed in the bake")
    elif state.phase in (Phase.STEP, Phase.BAKE) and below:
        step = min(max(below), state.step)
        look.change(phase=Phase.STEP, step=step)
        look.ask_for(state.steps[step], f"resumed at {state.steps[step]} %")
    elif state.phase in (Phase.STEP, Phase.BAKE):
        look.change(phase=Phase.WARMUP, step=0)
        look.ask_for(0, "resumed before the first step")
    else:
        look.ask_for(0, "resumed at 0 %")
