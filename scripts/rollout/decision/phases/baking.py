"""When the bake has seen enough: minutes with traffic, and a least number of requests.

Pure.
"""

import math

from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.baked import Baked
from scripts.rollout.state.state import FULL, State
from scripts.rollout.text import duration


def requests_needed(policy: Policy) -> int:
    """Return the canary's least number of requests in a bake.

    Among so many, a canary that is worse by the smallest budget has one bad answer more
    than the stable with probability 1 - badPromotion.
    """
    budgets = [m.budget for m in policy.metrics if m.is_gate and m.budget]
    if not policy.bake.duration:
        return 0
    return math.ceil(math.log(1 / policy.risk.bad_promotion) / min(budgets))


def forecast_s(policy: Policy, rps: float) -> float:
    """Return how long a bake takes at a rate of requests."""
    share = rps * policy.bake.percent / FULL
    return max(policy.bake.duration, requests_needed(policy) / max(share, 1e-9))


def left_s(policy: Policy, state: State) -> float:
    """Forecast the seconds that are left of a bake."""
    seen = _seen(state)
    seconds = max(policy.bake.duration - seen.seconds, _time_left_s(policy, state))
    requests = requests_needed(policy) - seen.canary
    share = state.rps * policy.bake.percent / FULL
    return max(seconds, requests / share if share else math.inf, 0.0)


def missing(policy: Policy, state: State) -> list[str]:
    """Return what the bake has not seen yet, in words; empty where it is over."""
    seen, found = _seen(state), []
    time_left_s = _time_left_s(policy, state)
    seconds = policy.bake.duration - seen.seconds
    if time_left_s > 0:
        found.append(f"{duration(time_left_s)} more at {state.weight} %")
    elif seconds > 0:
        found.append(
            f"{duration(seconds)} more with requests of both arms: the bake has had "
            f"{duration(seen.seconds)} of {duration(policy.bake.duration)}"
        )
    needed = requests_needed(policy)
    if seen.canary < needed:
        found.append(f"{seen.canary:.0f} of {needed} requests of the canary")
    return found


def summary(state: State) -> str:
    """Say what the bake saw."""
    seen = _seen(state)
    return (
        f"the bake saw {seen.canary:,.0f} requests of the canary, "
        f"{seen.stable:,.0f} of the stable, in {duration(seen.seconds)}"
    )


def _time_left_s(policy: Policy, state: State) -> float:
    return policy.bake.duration - (state.now - state.entered)


def _seen(state: State) -> Baked:
    return state.baked or Baked(state.entered)
