"""Estimates over-dispersion: outcomes that move together, as retries or sessions do.

docs/proofs.md, "Clusters".
"""

import math
from statistics import NormalDist

import numpy as np

from scripts.rollout.evidence.arrays import Array
from scripts.rollout.evidence.two_sample import TINY

# Tunable, and part of the guarantee: independent outcomes exceed it in 7 % of estimates
# from 30 scrapes, in none of 4,000 from 360; outcomes in pairs exceed it in 89 % and in
# all. Lower makes good canaries slower, higher calls mild clusters independent.
INDEPENDENT_BELOW = 1.35


def dispersion(bad: Array, n: Array) -> float:
    """Return phi, in outcomes (at least 1), estimated from one arm's past scrapes.

    `bad` (scrapes, kinds of outcome) and `n` (scrapes) are counts. Phi is Pearson's
    chi-square over its degrees of freedom, rounded up to an integer; 1 where the
    ratio is compatible with independence.
    """
    expected = n[:, None] * bad.sum(axis=0) / max(float(n.sum()), 1.0)
    good = 1 - expected / np.maximum(n[:, None], 1.0)
    spread = max(float((expected * good).sum()), TINY)
    ratio = float(((bad - expected) ** 2).sum()) / spread
    return 1.0 if ratio < INDEPENDENT_BELOW else float(np.ceil(ratio))


def allowance(bad: Array, n: Array, phi: float, canaries: int, alpha: float) -> float:
    """Return the excess bad share that chance gives pods of the stable's own kind.

    `bad` of `n` are the counts of each of the stable's pods; the canary is the mean of
    `canaries` pods. Were they more of the stable's, the difference of the means would
    exceed it with probability `alpha`: Student's quantile for the variance between pods
    beyond what chance makes of equal ones. 0 for fewer than two pods with traffic.
    docs/proofs.md, "Pods".
    """
    # Tunable: pods with a quarter of the typical traffic or less are too new.
    is_known = n > np.median(n) / 4 if n.size else n > 0
    bad, n = bad[is_known], n[is_known]
    if len(n) < 2:
        return 0.0
    share = float(bad.sum() / n.sum())
    chance = float((phi * share * (1 - share) / n).mean())
    between = max(float((bad / n).var(ddof=1)) - chance, 0.0)
    quantile = student(1 - alpha, len(n) - 1)
    return float(quantile * np.sqrt(between * (1 / max(canaries, 1) + 1 / len(n))))


def student(p: float, degrees: int) -> float:
    """Return the quantile of Student's distribution for p above one half.

    Exact for one and two degrees of freedom; from three on Fisher's expansion, which
    is at most 2 % low for p up to 0.99.
    """
    if degrees == 1:
        return math.tan(math.pi * (p - 0.5))
    if degrees == 2:
        return (2 * p - 1) * math.sqrt(2 / (4 * p * (1 - p)))
    z, v = NormalDist().inv_cdf(p), float(degrees)
    terms = (
        z,
        (z**3 + z) / (4 * v),
        (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2),
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3),
    )
    return sum(terms)
