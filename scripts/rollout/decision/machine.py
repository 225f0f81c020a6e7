"""The rollout as a pure function: from a state and one observation to the next state.

No clock, no files, no network. `step` fixes the order within one look: requests of
people, then revisions, guards and evidence, and only then a raise.
"""

from scripts.rollout.decision import commands, guards, measurement, paired
from scripts.rollout.decision.draft import Draft
from scripts.rollout.decision.explaining import conditions, reasons
from scripts.rollout.decision.measurement import Rules
from scripts.rollout.decision.phases import phases
from scripts.rollout.errors import Exit, RolloutError
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.actions import SetPercent
from scripts.rollout.state.notes import NoteKind
from scripts.rollout.state.observation import Delta, Observation, Replicas, View
from scripts.rollout.state.state import (
    JUDGED,
    Decision,
    Pause,
    Phase,
    Precomputed,
    State,
)

# Tunable: what is kept of them in the state, so that each is said once. By hand.
MOST_DOUBTS = 100

# The verdicts that evidence had a part in.
JUDGING = (Exit.PROMOTED, Exit.ROLLED_BACK, Exit.GUARD, Exit.HELD)


def begin(policy: Policy, view: View, now: float) -> State:
    """Pin the canary and the stable. Raises RolloutError where that is not safe."""
    danger = unsafe(view)
    if danger:
        raise RolloutError(f"{policy.target.name}: {danger}")
    return State(
        canary=view.created,
        stable=view.rolledout,
        began=now,
        now=now,
        entered=now,
        heard=now,
        was_ready=now,
        interval=policy.interval_s,
        last_restarts=view.replicas.get(view.created, Replicas()).restarts,
    )


def unsafe(view: View) -> str:
    """Return why no rollout may begin here and what to do, "" where one may."""
    if not view.rolledout:
        return (
            "no revision is rolled out yet; apply a first version and wait until it is "
            "Ready"
        )
    if view.danger:
        return view.danger
    if view.created == view.rolledout:
        return (
            f"no canary beside {view.rolledout}; apply the new version with 0 percent"
        )
    return ""


class Machine:
    """Decides every look of one policy's rollouts."""

    def __init__(self, policy: Policy) -> None:
        """Prepare the policy's tests."""
        self.rules = Rules(policy)

    def step(
        self, state: State, seen: Observation, foreseen: Precomputed | None = None
    ) -> Decision:
        """Decide one look. A clock that goes backwards is taken to stand still.

        `foreseen` is the evidence after this look, where a replay has computed it
        already.
        """
        if state.is_over:
            return Decision(state, (), ())
        draft = Draft(self.rules, state, seen)
        draft.change(now=max(seen.time, state.now), tick=state.tick + 1, verdict=None)
        for request in seen.requests:
            commands.answer(draft, request)
        _doubt(draft)
        guards.revisions(draft)
        guards.canary(draft)
        if not draft.state.is_over:
            _measure(draft, foreseen)
            if not commands.is_promoted_by_order(draft):
                phases.HANDLERS[draft.state.phase](draft)
            guards.refusals(draft)
            guards.deadlines(draft)
            _steer(draft)
        _conclude(draft, state)
        return Decision(draft.state, tuple(draft.actions), tuple(draft.notes))


def _doubt(draft: Draft) -> None:
    """Say once what of the metrics is no data."""
    known = draft.state.doubts
    new = [each for each in draft.seen.doubts if each not in known]
    for each in new:
        draft.say(NoteKind.NO_DATA, each)
    if new:
        draft.change(doubts=(*known, *new)[-MOST_DOUBTS:])


def _conclude(draft: Draft, before: State) -> None:
    """Say what a verdict on evidence rests on, once."""
    after = draft.state
    is_held = after.phase is Phase.HELD and before.phase is not Phase.HELD
    is_by_hand = any(note.kind is NoteKind.PROMOTED_BY_HAND for note in draft.notes)
    if not (after.is_over or is_held) or is_by_hand or after.verdict not in JUDGING:
        return
    found = conditions.of(draft.policy, draft.state)
    if found:
        draft.say(NoteKind.CONDITIONS, conditions.told(found))


def _measure(draft: Draft, foreseen: Precomputed | None) -> None:
    """Add the new counts to the evidence; roll back where it suffices."""
    state, delta = draft.state, draft.seen.delta
    if delta is not None:
        _hear(draft, delta)
    beside = [each for each in draft.seen.beside if each.counts]
    if delta is None and not beside:
        return
    is_judged = state.phase in JUDGED or state.phase is Phase.HELD
    if state.judged is None or not (is_judged or state.pause is Pause.HAND):
        return
    if delta is not None:
        guards.incident(draft, delta)
    policy, design = draft.policy, draft.rules.design(state.steps)
    judged, weight = state.judged, state.weight
    if foreseen is not None and foreseen.holds(state):
        judged = foreseen.judged
    elif delta is not None:
        scrapes = [(state.now, delta)]
        (judged,) = measurement.update(policy, design, judged, scrapes, weight)
    for each in beside:
        judged = paired.counted(policy, design, judged, each, weight)
    draft.change(judged=judged)
    if delta is not None:
        guards.split(draft, delta)
    if judged.evidence.must_roll_back(design):
        reason, code = reasons.why_rolled_back(draft.rules, draft.state)
        draft.roll_back(Phase.ROLLED_BACK, reason, code)


def _hear(draft: Draft, delta: Delta) -> None:
    """Record the time of the metrics and the load, in preflight the scrape too."""
    state = draft.state
    rps, peak = _load(draft, delta)
    draft.change(heard=state.now, rps=rps, peak_load=peak)
    if not delta.is_apart:
        draft.change(compared=state.now)
    if state.phase in JUDGED and not delta.is_carried:
        draft.change(apart_s=max(state.apart_s, delta.apart_s))
    _bake(draft, delta)
    if state.phase is Phase.PREFLIGHT:
        known = [each for each in (*draft.seen.history, delta) if _has_stable(each)]
        draft.change(known=(*state.known, *known))


def _bake(draft: Draft, delta: Delta) -> None:
    """Add what the bake saw: users, and pairs where these stand for users."""
    state, policy = draft.state, draft.policy
    if state.phase is not Phase.BAKE or state.baked is None:
        return
    name = policy.metrics[0].name
    _, canary, _, stable = delta.row(name)
    if policy.pairs_stand_for_users:
        pairs = sum(sum(each.row(name)) for each in draft.seen.beside if each.counts)
        canary, stable = canary + pairs, stable + pairs
    draft.change(baked=state.baked.add(canary, stable, state.now))


def _has_stable(delta: Delta) -> bool:
    return any(row[3] for row in delta.metrics.values())


def _load(draft: Draft, delta: Delta) -> tuple[float, float]:
    """Return requests per second, and the most that one replica has carried so far."""
    state, view = draft.state, draft.view
    elapsed = delta.seconds or state.now - state.heard
    if elapsed <= 0 or view is None or delta.is_carried:
        return state.rps, state.peak_load
    name = draft.policy.metrics[0].name
    _, canary_n, _, stable_n = delta.row(name)
    peak = state.peak_load
    for revision, n in ((state.canary, canary_n), (state.stable, stable_n)):
        ready = view.replicas.get(revision, Replicas()).ready
        if ready:
            peak = max(peak, n / elapsed / ready)
    return (canary_n + stable_n) / elapsed, peak


def _steer(draft: Draft) -> None:
    """Request the weight until the backend's object has it."""
    state, view = draft.state, draft.view
    if state.is_over or state.is_verified or state.pause is Pause.HAND:
        return
    percent = None if state.phase is Phase.PROMOTING else state.weight
    if view is None or view.percent != percent:
        draft.actions.append(SetPercent(percent))
