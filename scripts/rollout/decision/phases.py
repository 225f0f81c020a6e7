"""What each phase waits for, and where it leads."""

import math
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Protocol

from scripts.rollout.decision import measurement, reasons
from scripts.rollout.decision.draft import ALL, Look
from scripts.rollout.errors import Exit
from scripts.rollout.state.actions import Consult, Says, WarmUp
from scripts.rollout.state.state import Pause, Phase


def preflight(look: Look) -> None:
    """Until the stable is known well enough to compare with."""
    state, policy = look.state, look.policy
    if not _knows_enough(look):
        return
    phi, sources = measurement.phi_of(policy, state.known)
    expected = measurement.traffic(policy, state.known, phi, _rps(look))
    steps = measurement.steps(policy, expected)
    if policy.is_auto:
        chosen = f"for {expected.rps:.1f} requests/s: {reasons.percents(steps)}"
        look.notes.append(f"steps chosen {chosen}")
    look.notes += reasons.dispersions(policy, phi, sources)
    design = look.rules.design(steps)
    known = state.known
    judged = measurement.begin(policy, design, known, (phi, sources), state.now)
    look.change(phase=Phase.WARMUP, entered=state.now)
    look.change(steps=steps, judged=judged, known=())
    warmup(look)


def _knows_enough(look: Look) -> bool:
    """Enough scrapes of the stable, with requests for every gate's metric in them."""
    policy, known = look.policy, look.state.known
    return len(known) >= policy.scrapes_needed and all(
        any(delta.row(metric.name)[3] for delta in known)
        for metric in policy.metrics
        if metric.is_gate
    )


def _rps(look: Look) -> float:
    name, known = look.policy.metrics[0].name, look.state.known
    seen = sum(delta.row(name)[3] for delta in known)
    return seen / len(known) / look.policy.source.interval


def warmup(look: Look) -> None:
    """Until the canary is ready and has answered the warm-up requests."""
    warmed = look.seen.warmed
    if warmed is not None:
        note = f"{warmed.sent} warm-up requests, {warmed.failed} failed"
        look.change(note, is_warm=True)
        if warmed.sent and warmed.failed == warmed.sent:
            look.guard(f"all {warmed.sent} warm-up requests failed")
            return
    if not look.may_rise and not (look.state.forced and look.can_rise):
        return
    if look.policy.warmup and not look.state.is_warm:
        look.actions.append(WarmUp(look.policy.warmup))
        return
    state = look.state
    if not state.forced and not _agrees(look, "pre", state.steps[0]):
        return
    assert state.judged is not None
    judged = replace(state.judged, began=state.now)
    look.change(phase=Phase.STEP, step=0, entered=state.now, judged=judged)
    look.ask_for(state.steps[0], f"first step: {state.steps[0]} %")


def step(look: Look) -> None:
    """Until the gate to the next weight is open, and everything else allows it."""
    state = look.state
    if state.forced and look.can_rise:
        _rise(look, state.step + 1, "by hand")
        return
    _wait_for_approval(look)
    if not look.may_rise:
        return
    following = _open_until(look)
    weight = _weight(look, following)
    if following == state.step or not _is_enough(look, weight):
        return
    if _agrees(look, "confirm", weight):
        _rise(look, following, "on evidence")


def _agrees(look: Look, hook: str, weight: int) -> bool:
    """Whether a hook has just allowed this weight; it is asked where it has not.

    An answer is good for one look: evidence that shuts a gate again asks anew.
    """
    if getattr(look.policy.hooks, hook) is None:
        return True
    answer = look.seen.answer
    if answer is not None and (answer.hook, answer.weight) == (hook, weight):
        said = f"hook {hook} says {answer.says} to {weight} %"
        said += f": {answer.reason}" if answer.reason else ""
        if answer.says is Says.NO:
            look.guard(said)
            return False
        look.notes.append(said)
        if answer.says is Says.YES:
            return True
    look.actions.append(Consult(hook, weight))
    return False


def _rise(look: Look, following: int, how: str) -> None:
    state = look.state
    is_last = following == len(state.steps)
    look.change(phase=Phase.BAKE if is_last else Phase.STEP, entered=state.now)
    look.change(step=min(following, len(state.steps) - 1), forced="")
    weight = _weight(look, following)
    look.ask_for(weight, f"{state.weight} % -> {weight} % {how}")


def _weight(look: Look, step: int) -> int:
    steps = look.state.steps
    return steps[step] if step < len(steps) else look.policy.bake.percent


def _open_until(look: Look) -> int:
    """The step that the gates lead to; automatic steps may be skipped, in order.

    The last gate is passed at the last step only, where it was seen under most load.
    """
    state = look.state
    assert state.judged is not None
    if state.now - state.entered < look.policy.dwell_s:
        return state.step
    opens = state.judged.evidence.opens(look.rules.design(state.steps))
    last, following = len(opens) - 1, state.step
    if following == last:
        return last + bool(opens[last])
    while following < last and opens[following]:
        following += 1
        if not look.policy.is_auto:
            break
    return following


def _wait_for_approval(look: Look) -> None:
    state = look.state
    is_asked = state.weight in look.policy.pause_at
    if is_asked and state.weight not in state.approved and state.pause is Pause.NONE:
        note = f"waits for an approval at {state.weight} %"
        look.change(note, pause=Pause.APPROVAL)


def _is_enough(look: Look, weight: int) -> bool:
    """Whether the canary's ready replicas can carry the next weight."""
    state, ready = look.state, look.replicas.ready
    limit = state.peak_load * look.policy.guards.max_load
    needed = math.ceil(state.rps * weight / ALL / limit - 1e-9) if limit else 1
    if needed <= ready:
        return True
    look.notes.append(
        f"held at {state.weight} %: {weight} % of {state.rps:.0f} requests/s needs "
        f"{needed} ready replicas of the canary, there are {ready}"
    )
    return False


def bake(look: Look) -> None:
    """Until the last watch beside a small control group is over."""
    state = look.state
    is_over = state.now - state.entered >= look.policy.bake.duration
    if (state.forced and look.can_rise) or (
        look.may_rise and is_over and _agrees(look, "confirm", ALL)
    ):
        look.promote()


def promoting(look: Look) -> None:
    """Until the canary is what KServe calls rolled out."""
    state = look.state
    if state.now - state.entered > look.policy.deadlines.rollback:
        note = f"the promotion is not in force, last seen: {state.last_seen}"
        look.change(note, verdict=Exit.UNREACHABLE, entered=state.now)


def rolling_back(look: Look) -> None:
    """Until the stable was seen to have everything."""
    state, view = look.state, look.view
    if view is not None and view.percent == 0 and view.routed.get(state.stable) == ALL:
        note = f"{state.stable} has all traffic: {state.reason}"
        look.end(state.ending, state.code, note)
    elif state.now - state.entered > look.policy.deadlines.rollback:
        note = f"ROLLBACK NOT VERIFIED, last seen: {state.last_seen}"
        if view is None:
            note += "; now the API does not answer"
        look.change(note, verdict=Exit.UNVERIFIED, entered=state.now)


def held(look: Look) -> None:
    """Until a person resumes or ends it."""
    look.change(verdict=look.state.code)


class Handler(Protocol):
    """A phase's part of one look."""

    def __call__(self, look: Look, /) -> None:
        """Change the look."""


HANDLERS: Mapping[Phase, Handler] = MappingProxyType(
    {
        Phase.PREFLIGHT: preflight,
        Phase.WARMUP: warmup,
        Phase.STEP: step,
        Phase.BAKE: bake,
        Phase.PROMOTING: promoting,
        Phase.ROLLING_BACK: rolling_back,
        Phase.HELD: held,
    }
)
