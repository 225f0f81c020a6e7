"""Which weight the evidence allows next, and whether the canary can carry it. Pure."""

import math

from scripts.rollout.decision.draft import Draft
from scripts.rollout.state.state import FULL


def following(draft: Draft) -> int:
    """Return the step that the gates lead to; automatic steps may skip some, in order.

    The last gate is passed from the last step only, where the load is highest.
    """
    state = draft.state
    assert state.judged is not None
    if state.now - state.entered < draft.policy.dwell_s:
        return state.step
    opens = state.judged.evidence.opens(draft.rules.design(state.steps))
    last, found = len(opens) - 1, state.step
    if found == last:
        return last + bool(opens[last])
    while found < last and opens[found]:
        found += 1
        if not draft.policy.is_auto:
            break
    return found


def weight_of(draft: Draft, step: int) -> int:
    """Return the weight of a step, in percent; after the last one comes the bake."""
    steps = draft.state.steps
    return steps[step] if step < len(steps) else draft.policy.bake.percent


def shortage(draft: Draft, weight: int) -> str:
    """Return why the canary's ready replicas cannot carry a weight, "" if they can."""
    state, ready = draft.state, draft.replicas.ready
    limit = state.peak_load * draft.policy.guards.max_load
    # 1e-9 less, so that rounding in the division does not ask for one replica more.
    needed = math.ceil(state.rps * weight / FULL / limit - 1e-9) if limit else 1
    if needed <= ready:
        return ""
    return (
        f"{weight} % of {state.rps:.0f} requests/s needs {needed} ready replicas of "
        f"the canary, there are {ready}"
    )
