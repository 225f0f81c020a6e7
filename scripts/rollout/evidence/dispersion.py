"""Estimates over-dispersion: outcomes that move together, as retries or sessions do.

It is estimated on several scales of time, from second differences of blocks of scrapes:
a noisy machine makes minutes differ that no single scrape shows. docs/proofs.md,
"Clusters", says what is left out of the estimate and why.
"""

import math
from collections.abc import Iterator
from statistics import NormalDist

import numpy as np

from scripts.rollout.evidence.arrays import Array
from scripts.rollout.evidence.two_sample import TINY

# All tunable, and part of the guarantee; chosen by simulation, on 2,000 rollouts.
# Scrapes of a block: one, a minute and five minutes at the default interval.
BLOCKS = (1, 6, 30)
# Blocks from one of the three of a difference to the next: what both arms share, a wave
# of an hour or more, is nearly a straight line over them; trouble of five minutes is
# not, as it may be in neighbours.
LAG = 2
# Differences at least for an estimate.
FEWEST = 8
# The largest differences are left out: one past incident makes about so many on each
# scale. With fewer than eight times as many differences nothing is left out.
LEFT_OUT = 8
# The part of them for which the estimate is corrected, as if chance had made them.
CORRECTED = 0.75
# Second differences that overlap are correlated: -2/3 at one lag, 1/6 at two. Their
# squares' mean has 1 + 2 (4/9 + 1/36) times the variance of independent ones'.
OVERLAP = 35 / 18
# Standard errors over 1 from which on outcomes are taken to be dependent, and from
# fewer scrapes than SHORT: 8 % of independent outcomes exceed that.
CLEARLY, CLEARLY_SHORT, SHORT = 2.5, 1.5, 100
# Ratio of variances from which on pods differ; it is shown and decides nothing.
APART = 1.35
# Standard errors that are added to an estimate over 1, and from fewer than SHORT.
UPPER, UPPER_SHORT = 3.0, 5.0


def dispersion(bad: Array, n: Array) -> float:
    """Return phi, in outcomes (at least 1), estimated from one arm's past scrapes.

    `bad` (scrapes, kinds of outcome) and `n` (scrapes) are counts. Phi is the largest
    upper end of the variances' ratios that are clearly over 1: observed over that of
    independent outcomes.
    """
    return max([1.0, *by_scale(bad, n).values()])


def by_scale(bad: Array, n: Array) -> dict[int, float]:
    """Return phi for each number of scrapes in a block that is known often enough."""
    seen = n > 0
    bad, n = bad[seen], n[seen]
    is_short = len(n) < SHORT
    clearly = CLEARLY_SHORT if is_short else CLEARLY
    upper = UPPER_SHORT if is_short else UPPER
    return {
        size: ratio + upper * error if ratio > 1 + clearly * chance else 1.0
        for size, (ratio, chance, error) in _ratios(bad, n)
    }


def _ratios(bad: Array, n: Array) -> Iterator[tuple[int, tuple[float, float, float]]]:
    """Yield each scale, in scrapes, and its `_ratio`."""
    for size in BLOCKS:
        blocks = len(n) // size
        if blocks - 2 * LAG < FEWEST:
            return
        kept = slice(len(n) - blocks * size, None)
        n_blocks = n[kept].reshape(blocks, size, 1).sum(axis=1)
        bad_blocks = bad[kept].reshape(blocks, size, -1).sum(axis=1)
        yield size, _ratio(bad_blocks, n_blocks)


def _ratio(bad: Array, n: Array) -> tuple[float, float, float]:
    """Return the ratio of variances from blocks; `n` is (blocks, 1).

    Then its standard error where outcomes are independent, and as it is.
    """
    of_three = slice(None, -2 * LAG), slice(LAG, -LAG), slice(2 * LAG, None)
    bads, ns = [bad[each] for each in of_three], [n[each] for each in of_three]
    share: Array = np.sum(bads, axis=0) / np.sum(ns, axis=0)
    expected = share * (1 - share)
    first, middle, last = (x / m for x, m in zip(bads, ns, strict=True))
    variance = 1 / ns[0] + 4 / ns[1] + 1 / ns[2]
    squares = (first - 2 * middle + last) ** 2 / variance
    count = len(squares)
    out = LEFT_OUT if count >= 8 * LEFT_OUT else 0
    order = np.argsort(squares, axis=0)[: count - out]
    squares, expected = (
        np.take_along_axis(each, order, axis=0) for each in (squares, expected)
    )
    scale = max(float(expected.sum()), TINY)
    ratio = float(squares.sum()) / scale / _kept(CORRECTED * out / count)
    parts = expected.sum(axis=0) / scale
    chance = math.sqrt(2 * OVERLAP / len(squares) * float((parts**2).sum()))
    spread = float(squares.sum(axis=1).std()) * len(squares) / scale
    error = spread * math.sqrt(OVERLAP / len(squares))
    return ratio, chance, max(ratio * chance, error)


def _kept(left_out: float) -> float:
    """Return the mean of squared normals below their upper `left_out`, over 1."""
    if not left_out:
        return 1.0
    z = NormalDist().inv_cdf(1 - left_out / 2)
    density = math.sqrt(2 / math.pi) * math.exp(-z * z / 2)
    return (math.erf(z / math.sqrt(2)) - z * density) / (1 - left_out)


def differ(bad: Array, n: Array) -> bool:
    """Return whether shares of several pods differ by more than chance (Pearson)."""
    share = bad.sum() / max(float(n.sum()), 1.0)
    spread = max(float((n * share * (1 - share)).sum()), TINY)
    return float(((bad - n * share) ** 2).sum()) / spread >= APART


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
