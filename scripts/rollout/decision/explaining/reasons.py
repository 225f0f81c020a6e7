"""Says why a rollout waits and why it ended, in words and numbers. Pure."""

import math
from collections.abc import Sequence

from scripts.rollout.decision.draft import Draft
from scripts.rollout.decision.explaining import conditions, explain
from scripts.rollout.decision.measurement import Rules
from scripts.rollout.decision.phases import baking, learning, raising
from scripts.rollout.errors import Exit
from scripts.rollout.evidence.arrays import Array
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.observation import Delta, Observation, View
from scripts.rollout.state.state import FULL, JUDGED, Judged, Pause, Phase, State
from scripts.rollout.state.warming import Warming
from scripts.rollout.text import duration, number, share

# Tunable: what fits into one line.
MOST_LABELS = 3
# Tunable: pages are read at once, and less than this apart.
LEAST_APART_S = 1.0


def traffic(view: View) -> str:
    """Describe the traffic: the weight that is set and the shares that are routed."""
    shares = ", ".join(f"{name} {percent} %" for name, percent in view.routed.items())
    asked = view.asked or f"percent {view.percent}"
    seen = f"{asked}, routed {shares or 'nothing'}"
    return f"{seen}: {view.blocked}" if view.blocked else seen


def dispersions(policy: Policy, phi: Array, sources: Sequence[str]) -> list[str]:
    """Describe each metric's cluster size (over-dispersion) and where it comes from."""
    return [
        f"{metric.name}: outcomes in clusters of {value:.3g} ({source})"
        for metric, value, source in zip(policy.metrics, phi, sources, strict=True)
    ]


def warmed(warming: Warming, now: float, *, has_settled: bool) -> str:
    """Describe what the warm-up sent, and how it ended."""
    last = warming.last
    if last.refused:
        refused = ", ".join(last.refused)
        return f"warm-up requests were all refused ({refused}): nothing is warm"
    pods = "1 pod" if last.pods == 1 else f"{last.pods} pods"
    protocols = f" by {', '.join(last.protocols)}" if last.protocols else ""
    found = f"{warming.sent} warm-up requests to {pods}{protocols}, "
    found += f"{warming.failed} failed, {warming.slow} slow, "
    lasted = duration(now - warming.began)
    found += f"settled after {lasted}" if has_settled else f"unsettled in {lasted}"
    if last.p50_ms:
        found += f": p50 {warming.first_ms:.1f} -> {last.p50_ms:.1f} ms"
    return found


def incident(policy: Policy, state: State) -> str:
    """Describe an incident that both arms have."""
    canary, stable = (share(each.share) for each in state.over)
    limit = share(policy.guards.max_error_rate)
    return f"both arms fail more than {limit}: {canary} beside the stable's {stable}"


def why_rolled_back(rules: Rules, state: State) -> tuple[str, Exit]:
    """Return the reason for a rollback, and its exit code.

    The reason names the largest part of the weighted sum; the ceiling is a guard.
    """
    policy, design, judged = rules.policy, rules.design(state.steps), state.judged
    assert judged is not None
    parts = design.weights * judged.evidence.against()
    largest = int(parts.argmax())
    total, needed = number(float(parts.sum())), number(1 / design.alpha)
    rows = explain.rows(policy, design, judged, 0)
    if largest == len(rows):
        found = _over(policy, state)
        return f"guard: {found} (e = {total} of {needed})", Exit.GUARD
    row = rows[largest]
    if policy.metrics[largest].feedback is not None:
        canary = row.canary
        found = f"where both differ, wrong in {canary.bad:.0f} of {canary.n:.0f}"
    elif row.distance is not None:
        apart = share(row.distance)
        found = f"its labels are {apart} apart from the stable's: {moved(judged)}"
    else:
        found = _worse(row)
    return f"{row.metric}: {found} (e = {total} of {needed})", Exit.ROLLED_BACK


def _worse(row: explain.Row) -> str:
    """Describe both arms by users' requests, by pairs where those show more."""
    users = f"{share(row.canary.share)} against {share(row.stable.share)}"
    pairs = row.pairs
    if pairs is None or pairs.against <= pairs.users or row.canary == pairs.canary:
        return users
    canary, stable = share(pairs.canary.share), share(pairs.stable.share)
    found = f"{canary} against {stable} in {pairs.canary.n:,.0f} pairs"
    return f"{found}, {users} of users' requests" if row.canary.n else found


def _over(policy: Policy, state: State) -> str:
    """Describe a canary over `maxErrorRate`, over the seconds in which it was."""
    canary, stable = state.over
    fails, ceiling = share(canary.share), share(policy.guards.max_error_rate)
    since = duration(state.now - canary.since)
    beside = share(stable.share) if stable.n else f"at most {ceiling}"
    found = f"{fails} of its requests failed in {since}, more than {ceiling}"
    return f"{found}, beside the stable's {beside}"


def moved(judged: Judged) -> str:
    """Name the labels whose shares differ most, from the stable's to the canary's."""
    labels = judged.labels
    arms = [arm / max(arm.sum(), 1.0) for arm in (labels.stable, labels.canary)]
    pairs = zip(judged.label_names, *arms, strict=True)
    most = sorted(pairs, key=lambda pair: -abs(pair[2] - pair[1]))[:MOST_LABELS]
    return ", ".join(f"{name} {share(a)} -> {share(b)}" for name, a, b in most)


def waiting(rules: Rules, state: State, seen: Observation | None) -> list[str]:
    """List what must happen before the next weight, most urgent first."""
    if state.other_version:
        return [f"a promoter of its own version: {state.other_version}"]
    found = [_paused(state)] if state.pause else []
    if state.incident_since is not None:
        lasts = duration(state.now - state.incident_since)
        found.append(f"{incident(rules.policy, state)}, for {lasts}")
    if state.is_split_moved:
        found.append(conditions.moved_split(state))
    window = rules.policy.window
    found += [window.next_opening(state.now)] if window else []
    if seen is not None:
        found += _unseen(state, seen)
    if state.phase is Phase.PREFLIGHT:
        found.append(learning.missing(rules.policy, state))
    if state.phase in JUDGED and not state.is_verified:
        found.append(f"{state.weight} % is not in force yet")
    if state.phase is Phase.STEP:
        found += _dwell(state, rules.policy.dwell_s)
        found += _gates(rules, state)
    if state.phase is Phase.BAKE:
        found += baking.missing(rules.policy, state)
    last = Draft(rules, state, seen or Observation(state.now, None, None))
    return list(filter(None, found)) or [_last_things(last)]


def _paused(state: State) -> str:
    if state.pause is Pause.APPROVAL:
        return "a person's approval"
    why = state.pause_reason if state.pause is Pause.PERSON else ""
    return f"{state.pause}: {why}" if why else str(state.pause)


def _last_things(draft: Draft) -> str:
    """Return what is left where the evidence allows the next weight."""
    state, policy = draft.state, draft.policy
    match state.phase:
        case Phase.WARMUP if policy.warmup.requests and not state.is_warm:
            return f"the warm-up of {state.canary} to settle"
        case Phase.WARMUP:
            return _asked(draft, "pre", state.steps[0])
        case Phase.STEP:
            weight = raising.weight_of(draft, raising.following(draft))
            missing = raising.shortage(draft, weight) if draft.view else ""
            return missing or _asked(draft, "confirm", weight)
        case Phase.BAKE:
            return _asked(draft, "confirm", FULL)
        case Phase.PROMOTING:
            return "the promotion to come into force"
        case Phase.ROLLING_BACK:
            return f"{state.stable} to get all traffic"
        case Phase.HELD:
            return "a person: resume, promote or abort"
    return "the next look"


def _asked(draft: Draft, hook: str, weight: int) -> str:
    """Return what a hook said last, or that its answer is due."""
    if getattr(draft.policy.hooks, hook) is None:
        return "the next look"
    answer = draft.seen.answer
    if answer is None or answer.hook != hook:
        return f"hook {hook}: its answer about {weight} %"
    why = f": {answer.reason}" if answer.reason else ""
    return f"hook {hook} says {answer.says} to {answer.weight} %{why}"


def _requests(delta: Delta) -> float:
    return sum(row[1] + row[3] for row in delta.metrics.values())


def _unseen(state: State, seen: Observation) -> list[str]:
    found = []
    if seen.view is None:
        why = f": {seen.trouble}" if seen.trouble else ""
        found.append(f"the InferenceService cannot be read{why}")
    elif seen.view.ready != state.canary:
        found.append(f"{state.canary} is not ready")
    if seen.delta is None:
        is_why = seen.trouble and seen.view is not None
        found.append(f"no metrics: {seen.trouble}" if is_why else "no metrics")
    elif not seen.delta.is_carried and not _requests(seen.delta):
        found.append("no requests")
    if seen.delta is not None:
        found += _apart(seen.delta)
    return found


def _apart(delta: Delta) -> list[str]:
    """How the arms are read, where that keeps their counts from being compared."""
    if delta.apart_s < LEAST_APART_S:
        return []
    found = f"the arms are read {duration(delta.apart_s)} apart"
    if delta.is_carried:
        found += ": counts wait until they are of nearly the same seconds"
    return [found]


def _dwell(state: State, dwell_s: float) -> list[str]:
    left = dwell_s - (state.now - state.entered)
    return [f"{duration(left)} more at {state.weight} %"] if left > 0 else []


def _gates(rules: Rules, state: State) -> list[str]:
    assert state.judged is not None
    design = rules.design(state.steps)
    found = []
    for row in explain.rows(rules.policy, design, state.judged, state.step):
        if row.gate is None or row.gate >= row.gate_needed:
            continue
        e_value = f"gate e {number(row.gate)} of {number(row.gate_needed)}"
        if row.pairs is not None and not row.pairs.counted:
            e_value += " by users' requests alone"
        need = explain.still_needed(rules, state, row)
        if math.isfinite(need):
            rest = f"about {need:,.0f} more requests"
            if state.rps:
                rest += f", {duration(need / state.rps)}"
        else:
            rest = "no end in sight at these rates"
        found.append(f"{row.metric}: {e_value}, {rest}")
    return found
