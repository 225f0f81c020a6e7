"""Evidence from pairs: both arms answered the same request, and the bet is on z.

z is +1 where only the canary's answer is bad, -1 where only the stable's is, else 0.
What makes both answers bad cancels out, so the more alike the arms are to one request,
the fewer pairs it takes. docs/proofs.md, "The bet on pairs".
"""

from dataclasses import dataclass

import numpy as np

from scripts.rollout.evidence.arrays import Array
from scripts.rollout.evidence.two_sample import LARGEST_STAKE, TINY


@dataclass(frozen=True, slots=True)
class PairCounts:
    """The counts of one scrape's `n` pairs, in equal shapes.

    `only_canary` and `only_stable` had one bad answer, that arm's; `both` two.
    """

    only_canary: Array
    only_stable: Array
    both: Array
    n: Array


@dataclass(frozen=True, slots=True)
class PairBets:
    """One bet per alternative, as arrays that broadcast against the counts' axes.

    `sign` and `margin` as in `two_sample.Bets`. The chances that only the canary's or
    only the stable's answer is bad come from earlier scrapes; any keep it valid.
    """

    sign: Array
    margin: Array
    only_canary: Array
    only_stable: Array


def log_e(counts: PairCounts, bets: PairBets) -> Array:
    """Natural logarithms of one scrape's e-values, the bets' axis last.

    The factor of a pair is 1 + stake (z - margin): its mean is at most 1 wherever the
    hypothesis holds, however both answers depend on each other.
    """
    margin, stake = bets.margin, _stake(bets)
    canary, stable = counts.only_canary[..., None], counts.only_stable[..., None]
    alike = counts.n[..., None] - canary - stable
    gain: Array = (
        canary * np.log1p(stake * (1 - margin))
        + stable * np.log1p(-stake * (1 + margin))
        + alike * np.log1p(-stake * margin)
    )
    return gain


def _stake(bets: PairBets) -> Array:
    """Return the stake under which the evidence grows fastest, with the bet's sign.

    There the derivative of the mean logarithm is 0, which is a quadratic equation in
    the stake; its root in this form is the one between the poles.
    """
    margin, canary, stable = bets.margin, bets.only_canary, bets.only_stable
    ahead = canary - stable - margin
    square = margin * (1 - margin**2)
    linear = (
        canary * (1 - margin) * (1 + 2 * margin)
        + stable * (1 + margin) * (1 - 2 * margin)
        - 2 * (1 - canary - stable) * margin**2
    )
    root = np.sqrt(np.maximum(linear**2 - 4 * square * ahead, 0.0))
    stake = 2 * ahead / np.maximum(linear + root, TINY)
    lowest = np.where(bets.sign > 0, 0.0, -LARGEST_STAKE / (1 - margin))
    highest = np.where(bets.sign > 0, LARGEST_STAKE / (1 + margin), 0.0)
    return np.minimum(np.maximum(stake, lowest), highest)
