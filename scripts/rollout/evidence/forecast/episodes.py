"""Forecasts how often harm that comes now and then is promoted, by simulated rollouts.

A gate rules out an excess that is there in every scrape. One that is there for BURST_S
in each period is met only while it is there. docs/proofs.md, "Now and then".
"""

from dataclasses import dataclass

import numpy as np

from scripts.rollout.evidence.arrays import Array
from scripts.rollout.evidence.evidence import Design, Evidence
from scripts.rollout.evidence.forecast.ladder import Traffic, drawn

# A unit: seconds that a burst lasts.
BURST_S = 10.0
# Tunable: simulated rollouts, enough for 5 % to a percent or two.
ROLLOUTS = 300
# Tunable: the most looks of a bake, so that `plan` answers in seconds.
BAKE_LOOKS = 120
# Tunable: the most looks of the forecast time to its gate, for the same reason.
GATE_LOOKS = 40
# Tunable: the gate is waited for up to that many times its forecast.
PATIENCE = 4
# Tunable: requests that are known of the stable before.
KNOWN = 2000.0
# Tunable: the excess on average, in budgets: twice what the gates rule out.
BUDGETS = 2.0


@dataclass(frozen=True, slots=True)
class Stays:
    """The last step (percent) and its forecast, and the bake after it, in seconds."""

    last: int
    gate_s: float
    percent: int
    bake_s: float


def promoted(
    design: Design, traffic: Traffic, interval_s: float, stays: Stays, period_s: float
) -> float:
    """Return the share of canaries that pass the last gate and the bake.

    On average they are worse by BUDGETS times the smallest gated budget, and not at all
    between two bursts; the first burst comes at random.
    """
    random = np.random.default_rng(1)
    worst = int(np.argmin(np.where(design.gated, design.budget, np.inf)))
    excess = min(BUDGETS * float(design.budget[worst]) * period_s / BURST_S, 1.0)
    step_s = max(interval_s, stays.bake_s / BAKE_LOOKS, stays.gate_s / GATE_LOOKS)
    shape = (ROLLOUTS, len(traffic.bad))
    known = np.full(shape, KNOWN)
    evidence = Evidence.begin(design, traffic.bad * known, known)
    phases = random.uniform(0, period_s, ROLLOUTS)
    is_back = np.zeros(ROLLOUTS, dtype=bool)
    baked_s = np.full(ROLLOUTS, -np.inf)  # at the last step; from 0 on in the bake
    for look in range(round((PATIENCE * stays.gate_s + stays.bake_s) / step_s)):
        weight = np.where(baked_s >= 0, float(stays.percent), float(stays.last))
        since = (look * step_s - phases) % period_s
        bad = np.broadcast_to(traffic.bad, shape).copy()
        bad[:, worst] += excess * burst_seconds(since, step_s, period_s) / step_s
        counts = drawn(random, traffic, step_s, weight, bad)
        is_new = (look + 1) * step_s // 60 > evidence.worse.mixture.epoch
        (evidence,) = evidence.update(design, counts, traffic.phi, weight, [is_new])
        is_back |= evidence.must_roll_back(design) & (baked_s < stays.bake_s)
        opens = evidence.opens(design)[..., -1] & (baked_s < 0)
        baked_s = np.where(opens, 0.0, baked_s + step_s)
    return float((~is_back & (baked_s >= stays.bake_s)).mean())


def burst_seconds(since: Array, step_s: float, period_s: float) -> Array:
    """Return the seconds of bursts in a look that begins `since` after one began."""
    first = np.clip(BURST_S - since, 0, step_s)
    rest = np.maximum(since + step_s - period_s, 0)
    whole, part = np.divmod(rest, period_s)
    found: Array = first + whole * BURST_S + np.minimum(part, BURST_S)
    return found
