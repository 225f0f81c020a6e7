"""One handler per phase: what the phase waits for, and which phase follows."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Protocol

from scripts.rollout import text
from scripts.rollout.decision import dependence, measurement, paired
from scripts.rollout.decision.draft import Draft
from scripts.rollout.decision.explaining import conditions, reasons
from scripts.rollout.decision.phases import baking, learning, raising
from scripts.rollout.errors import Exit
from scripts.rollout.state.actions import Consult, Says, Warmed, WarmUp
from scripts.rollout.state.baked import Baked
from scripts.rollout.state.notes import Note, NoteKind
from scripts.rollout.state.observation import View
from scripts.rollout.state.state import FULL, Pause, Phase, State
from scripts.rollout.state.warming import Warming


def preflight(draft: Draft) -> None:
    """Wait until enough is known of the stable for a comparison; choose the steps."""
    state, policy = draft.state, draft.policy
    missing = learning.missing(policy, state)
    if missing:
        _say_what_is_learned(draft, missing)
        return
    phi, sources = dependence.phi_of(policy, state.known)
    expected = measurement.traffic(policy, state.known, phi, _rps(draft))
    looks = measurement.looks(policy, expected)
    if policy.is_auto or policy.chooses_interval:
        chosen = f"for {expected.rps:.1f} requests/s: {text.percents(looks.steps)}"
        each = f"a look each {looks.interval:g} s"
        draft.say(NoteKind.STEPS_CHOSEN, f"steps chosen {chosen}, {each}")
    for each in reasons.dispersions(policy, phi, sources):
        draft.say(NoteKind.CLUSTER_SIZE, each)
    assumed = paired.assumption(policy)
    if assumed:
        draft.say(NoteKind.ASSUMED, assumed)
    design = draft.rules.design(looks.steps)
    known = state.known
    judged = measurement.begin(policy, design, known, (phi, sources), state.now)
    ready = draft.replicas.ready
    pods, allowed = conditions.between_pods(policy, known, phi, ready)
    judged = replace(judged, pods=pods, allowed=allowed)
    draft.say(NoteKind.ASSUMED, conditions.before(policy, judged))
    draft.change(phase=Phase.WARMUP, entered=state.now)
    draft.change(steps=looks.steps, interval=looks.interval)
    draft.change(judged=judged, known=())
    warmup(draft)


def _say_what_is_learned(draft: Draft, missing: str) -> None:
    """Say what the first step waits for, anew where its purpose has changed."""
    what = learning.purpose(draft.policy, draft.state.known)
    if what and what != draft.state.learns:
        draft.change(learns=what)
        draft.say(NoteKind.LEARNING, f"before the first step: {missing}")


def _rps(draft: Draft) -> float:
    name, known = draft.policy.metrics[0].name, draft.state.known
    seen = sum(delta.row(name)[3] for delta in known)
    return seen / sum(delta.seconds or draft.policy.interval_s for delta in known)


def warmup(draft: Draft) -> None:
    """Wait until the canary is ready and warm; then raise it to the first step."""
    if draft.seen.warmed is not None:
        _warm(draft, draft.seen.warmed)
    if draft.state.phase is not Phase.WARMUP:
        return
    if not draft.may_rise and not (draft.state.forced and draft.can_rise):
        return
    if draft.policy.warmup.requests and not draft.state.is_warm:
        _ask_to_warm(draft)
        return
    state = draft.state
    if not state.forced and not _agrees(draft, "pre", state.steps[0]):
        return
    assert state.judged is not None
    judged = replace(state.judged, began=state.now)
    draft.change(phase=Phase.STEP, step=0, entered=state.now, judged=judged)
    draft.change(pods=draft.replicas.ready)
    draft.ask_for(state.steps[0])
    draft.say(NoteKind.RAISED, f"first step: {state.steps[0]} %")


def _ask_to_warm(draft: Draft) -> None:
    policy, now = draft.policy, draft.state.now
    slos = [metric.slo for metric in policy.metrics if metric.slo is not None]
    before = draft.state.warming or Warming(began=now, asked=now)
    draft.change(warming=replace(before, asked=now))
    own = policy.warmup.path or "", policy.warmup.sent
    draft.actions.append(WarmUp(policy.warmup.requests, min(slos, default=0.0), *own))


def _warm(draft: Draft, found: Warmed) -> None:
    """Add a round of warm-up; end it when it has settled, or when its time is over."""
    policy, now = draft.policy.warmup, draft.state.now
    assert draft.state.warming is not None
    warming = draft.state.warming.add(found)
    has_settled = warming.has_settled(policy.quiet, now)
    has_failed = 0 < found.sent == found.failed
    is_late = now - warming.began >= policy.settle
    is_over = not has_failed and (not found.sent or has_settled or is_late)
    draft.change(warming=warming, is_warm=is_over)
    if has_failed:
        draft.guard(f"all {found.sent} warm-up requests failed")
    elif is_over:
        told = reasons.warmed(warming, now, has_settled=has_settled)
        draft.say(NoteKind.WARMED_UP, told)


def step(draft: Draft) -> None:
    """Wait until the next gate is open and nothing else forbids a raise."""
    state = draft.state
    if state.forced and draft.can_rise:
        _rise(draft, state.step + 1, "by hand")
        return
    _wait_for_approval(draft)
    if not draft.may_rise:
        return
    following = raising.following(draft)
    weight = raising.weight_of(draft, following)
    if following == state.step or not _is_enough(draft, weight):
        return
    if _agrees(draft, "confirm", weight):
        _rise(draft, following, "on evidence")


def _agrees(draft: Draft, hook: str, weight: int) -> bool:
    """Return whether a hook has just allowed this weight; ask the hook if not.

    An answer holds for one look: if evidence shuts the gate again, the hook is asked
    again.
    """
    if getattr(draft.policy.hooks, hook) is None:
        return True
    answer = draft.seen.answer
    if answer is not None and (answer.hook, answer.weight) == (hook, weight):
        said = f"hook {hook} says {answer.says} to {weight} %"
        said += f": {answer.reason}" if answer.reason else ""
        if answer.says is Says.NO:
            draft.guard(said)
            return False
        if answer.says is Says.YES:
            draft.say(NoteKind.HOOK_AGREED, said)
            return True
        draft.say(NoteKind.HOOK_WAITS, said)
    draft.actions.append(Consult(hook, weight))
    return False


def _rise(draft: Draft, following: int, how: str) -> None:
    state = draft.state
    is_last = following == len(state.steps)
    draft.change(phase=Phase.BAKE if is_last else Phase.STEP, entered=state.now)
    draft.change(step=min(following, len(state.steps) - 1), forced="")
    weight = raising.weight_of(draft, following)
    if is_last:
        draft.change(baked=Baked(state.now))
    draft.ask_for(weight)
    draft.say(NoteKind.RAISED, f"{state.weight} % -> {weight} % {how}")
    labels = paired.labels_at(draft.policy, weight)
    if labels:
        draft.say(NoteKind.LABELS_SHOW_LITTLE, labels)


def _wait_for_approval(draft: Draft) -> None:
    state = draft.state
    is_asked = state.weight in draft.policy.pause_at
    if is_asked and state.weight not in state.approved and state.pause is Pause.NONE:
        note = f"waits for an approval at {state.weight} %"
        draft.change(pause=Pause.APPROVAL)
        draft.say(NoteKind.APPROVAL_NEEDED, note)


def _is_enough(draft: Draft, weight: int) -> bool:
    """Return whether the canary's ready replicas can carry the next weight."""
    missing = raising.shortage(draft, weight)
    if missing:
        held = f"held at {draft.state.weight} %: {missing}"
        draft.say(NoteKind.TOO_FEW_REPLICAS, held)
    return not missing


def bake(draft: Draft) -> None:
    """Wait until the bake has seen enough, with a small control group on the stable."""
    state = draft.state
    is_over = not baking.missing(draft.policy, state)
    if (state.forced and draft.can_rise) or (
        draft.may_rise and is_over and _agrees(draft, "confirm", FULL)
    ):
        draft.say(NoteKind.BAKED, baking.summary(state))
        draft.promote()


def promoting(draft: Draft) -> None:
    """Wait until the canary is in force as the new stable; report when that is late."""
    state = draft.state
    if state.now - state.entered > draft.policy.rollback_s:
        note = f"the promotion is not in force, last seen: {state.last_seen}"
        draft.change(verdict=Exit.UNREACHABLE, entered=state.now)
        draft.say(NoteKind.PROMOTION_UNVERIFIED, note)


def rolling_back(draft: Draft) -> None:
    """Wait until the stable has all traffic again; report when that is late."""
    state, view = draft.state, draft.view
    stable = state.stable if view is None else _stable(state, view)
    if view is not None and view.percent == 0 and view.routed.get(stable) == FULL:
        note = f"{stable} has all traffic: {state.reason}"
        draft.end(state.ending, state.code, Note(NoteKind.ROLLED_BACK, note))
    elif state.now - state.entered > draft.policy.rollback_s:
        note = f"ROLLBACK NOT VERIFIED, last seen: {state.last_seen}"
        if view is None:
            note += "; now the API does not answer"
        draft.change(verdict=Exit.UNVERIFIED, entered=state.now)
        draft.say(NoteKind.ROLLBACK_UNVERIFIED, note)


def _stable(state: State, view: View) -> str:
    """Return the stable: the canary, if it was promoted before a newer one came."""
    is_new = state.ending is Phase.SUPERSEDED and view.rolledout == state.canary
    return state.canary if is_new else state.stable


def held(draft: Draft) -> None:
    """Report where it is held, once that is in force or late; a person resumes it."""
    state = draft.state
    if state.is_verified or state.now - state.entered > draft.policy.rollback_s:
        draft.change(verdict=state.code)


class Handler(Protocol):
    """Handles one phase within one look."""

    def __call__(self, draft: Draft, /) -> None:
        """Change the draft."""


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
