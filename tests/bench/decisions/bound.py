"""Wald's bound: the least mean time in which any test can let a good canary through.

No test that promotes a good canary for sure, and one that is worse by the budget with
probability `beta` at most, needs on average less than ln(1/beta) nats; a request gives
D = min over theta of w KL(p | theta + budget) + (1 - w) KL(p | theta).
"""

import math
from collections.abc import Sequence

import numpy as np

from tests.bench.decisions.world.rates import BASE, Array

BUDGETS = (0.005, 0.01)
BETA = 0.05


def _divergence(p: float, q: Array) -> Array:
    found: Array = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
    return found


def nats(p: float, budget: float, canary: float, stable: float) -> float:
    """Nats against "worse by the budget" of so many requests of each arm."""
    theta = np.linspace(max(p - budget, 1e-7), p, 4001)
    both = canary * _divergence(p, theta + budget) + stable * _divergence(p, theta)
    return float(both.min())


def seconds(
    rps: float,
    path: Sequence[tuple[float, float]],
    *,
    pairs_rps: float = 0.0,
    budgets: Sequence[float] = BUDGETS,
) -> float:
    """Mean seconds on a path, (percent, seconds at it), that ends at its last weight.

    Where there are several metrics, of the slowest. Pairs are two requests, one each.
    """
    longest = 0.0
    for p, budget in zip(BASE, budgets, strict=True):
        missing, spent = math.log(1 / BETA), 0.0
        for percent, lasts in path:
            canary = rps * percent / 100 + pairs_rps
            rate = nats(float(p), budget, canary, rps * (1 - percent / 100) + pairs_rps)
            lasts = min(lasts, missing / rate)
            missing, spent = missing - lasts * rate, spent + lasts
            if missing <= 1e-12:
                break
        longest = max(longest, spent)
    return longest
