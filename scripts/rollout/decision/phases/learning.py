"""What is learned of the stable before the first step, and how long it takes. Pure."""

import math
from collections.abc import Sequence

from scripts.rollout import text
from scripts.rollout.decision.dependence import ENOUGH_BAD
from scripts.rollout.evidence.forecast.ladder import Traffic
from scripts.rollout.policy.metric import Metric
from scripts.rollout.policy.policy import SCRAPES_FOR_STEPS, Policy
from scripts.rollout.state.observation import Delta
from scripts.rollout.state.state import State

# Tunable: bad outcomes by which chance may have hidden a rate so far: with none seen, a
# rate of three is seen in 95 % of cases (the rule of three).
HIDDEN = 3.0


def missing(policy: Policy, state: State) -> str:
    """Say what the first step waits for and until when, "" where enough is known."""
    known = state.known
    seen, needed = len(known), policy.scrapes_needed
    without = [m.name for m in _gating(policy) if not _n(m, known)]
    what = purpose(policy, known)
    if what:
        at = text.clock(state.now + (needed - seen) * policy.interval_s)
        latest = f"until {at} at the latest"
        return f"{seen} of {needed} scrapes of the stable, {what}; {latest}"
    return f"outcomes of the stable for {', '.join(without)}" if without else ""


def forecast_s(policy: Policy, traffic: Traffic) -> float:
    """Forecast the seconds of scrapes before the first step, as `missing` counts them.

    A Prometheus has the scrapes already.
    """
    interval, needed = policy.interval_s, policy.scrapes_needed
    if policy.dependence.cluster_size != "auto":
        return needed * interval
    if policy.source.prometheus is not None:
        return interval
    rates = [
        rate * traffic.rps * interval
        for metric, rate in zip(policy.metrics, traffic.bad, strict=True)
        if metric.is_gate
    ]
    for seen in range(SCRAPES_FOR_STEPS, needed):
        if all(_is_hopeless(rate * seen, seen, needed) for rate in rates):
            return seen * interval
    return needed * interval


def purpose(policy: Policy, known: Sequence[Delta]) -> str:
    """Say what more scrapes are for, "" where they can tell no more."""
    seen, needed = len(known), policy.scrapes_needed
    if seen >= needed:
        return ""
    if policy.dependence.cluster_size != "auto":
        return "for its rate of requests" if policy.is_auto else "for its outcomes"
    names = [
        metric.name
        for metric in _gating(policy)
        if seen < SCRAPES_FOR_STEPS
        or not _is_hopeless(_bad(metric, known), seen, needed)
    ]
    return f"for the dispersion of {', '.join(names)}" if names else ""


def _is_hopeless(bad: float, seen: int, needed: int) -> bool:
    """Return whether too few bad outcomes come for an estimate, however long one waits.

    The policy's `assumed` holds then, at once.
    """
    return math.ceil(bad + HIDDEN) / seen * needed < ENOUGH_BAD


def _gating(policy: Policy) -> list[Metric]:
    return [metric for metric in policy.metrics if metric.is_gate]


def _bad(metric: Metric, known: Sequence[Delta]) -> float:
    return sum(delta.row(metric.name)[2] for delta in known)


def _n(metric: Metric, known: Sequence[Delta]) -> float:
    return sum(delta.row(metric.name)[3] for delta in known)
