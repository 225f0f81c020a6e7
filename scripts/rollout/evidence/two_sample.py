"""Two-sample evidence from counts: a bet on the difference of two bad shares.

Every number here is an e-value: where its hypothesis holds, it ever exceeds 1/alpha
with probability at most alpha, however often one looks. Arrays may have any leading
axes, so one rollout and five thousand simulated ones run the same code. No clock, no
names of metrics, no thresholds.

The bet is that of Turner, Ly and Gruenwald (arXiv 2106.02693), with a margin; the
exponent 1/phi keeps it valid for clusters of up to phi outcomes (Hoelder's
inequality). docs/proofs.md has the formula, its proof and the conditions.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scripts.rollout.evidence.arrays import Array

# Guarantee: at most 1, else a factor can be negative, which no e-value is. Just below
# 1 no outcome makes the e-value 0; 0.5 would take a quarter of a broken canary's e.
LARGEST_STAKE = 0.98
# Guarantee: rates stay this far from 0 and 1, so nothing is divided by zero.
TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts of one scrape: `bad` of `n` requests per arm, in equal shapes."""

    canary_bad: Array
    canary_n: Array
    stable_bad: Array
    stable_n: Array

    @property
    def compares(self) -> npt.NDArray[np.bool_]:
        """Return where both arms had requests; one arm alone is no evidence."""
        return (self.canary_n > 0) & (self.stable_n > 0)

    @property
    def compared_stable(self) -> tuple[Array, Array]:
        """Return the stable's bad and n where both arms had requests, else 0."""
        compares = self.compares
        return self.stable_bad * compares, self.stable_n * compares

    def each(self, mask: Array) -> "Counts":
        """Return the counts with one more axis, times a mask of 0 and 1."""
        return Counts(
            self.canary_bad[..., None] * mask,
            self.canary_n[..., None] * mask,
            self.stable_bad[..., None] * mask,
            self.stable_n[..., None] * mask,
        )


@dataclass(frozen=True, slots=True)
class Bets:
    """One bet per alternative, as arrays that broadcast against the counts' axes.

    `sign` +1 speaks against "p_canary - p_stable <= margin", -1 against ">= margin".
    The rates come from earlier scrapes only. Any values keep the e-value valid, good
    ones make it grow.
    """

    sign: Array
    margin: Array
    canary_rate: Array
    stable_rate: Array

    @classmethod
    def joined(cls, parts: Sequence["Bets"], lead: tuple[int, ...]) -> "Bets":
        """Concatenate bets for one call; `lead` is the shape of the counts."""
        sizes = [math.prod(part.canary_rate.shape[len(lead) :]) for part in parts]
        joined = np.empty((4, *lead, sum(sizes)))
        start = 0
        for part, size in zip(parts, sizes, strict=True):
            shape = part.canary_rate.shape
            columns = joined[..., start : start + size].reshape((4, *shape))
            columns[0], columns[1] = part.sign, part.margin
            columns[2], columns[3] = part.canary_rate, part.stable_rate
            start += size
        return cls(*joined)


def log_e(counts: Counts, bets: Bets) -> Array:
    """Natural logarithms of one scrape's e-values; 0 where an arm had no requests.

    The shape is that of the counts with the bets' last axis behind it. `nearest` and
    `edge` are the rates of both arms on the boundary, `stake` is K of docs/proofs.md.
    """
    margin, is_worse = bets.margin, bets.sign > 0
    low = np.maximum(0.0, -margin) + TINY
    high = np.minimum(1.0, 1.0 - margin) - TINY
    canary_n = np.maximum(counts.canary_n, 1.0)[..., None]
    stable_n = np.maximum(counts.stable_n, 1.0)[..., None]
    excess = bets.canary_rate - margin
    nearest = start = np.minimum(np.maximum(bets.stable_rate, low), high)
    # Tunable: rounds of the alternative's projection on the hypothesis' boundary. Any
    # point on it is valid; four come within 0.0001 nats per look of fifty rounds.
    for _ in range(4):
        edge = nearest + margin
        canary_pull = canary_n / (edge * (1 - edge))
        stable_pull = stable_n / (nearest * (1 - nearest))
        centre = (canary_pull * excess + stable_pull * start) / (
            canary_pull + stable_pull
        )
        nearest = np.minimum(np.maximum(centre, low), high)
    edge = nearest + margin
    stake = bets.sign * canary_n * (bets.canary_rate - edge)
    stake = np.maximum(stake / (edge * (1 - edge)), 0.0)
    cap = np.minimum(
        canary_n / np.where(is_worse, edge, 1 - edge),
        stable_n / np.where(is_worse, 1 - nearest, nearest),
    )
    stake = bets.sign * np.minimum(stake, LARGEST_STAKE * cap)
    return _log_gain(counts, stake / canary_n, stake / stable_n, edge, nearest)


def _log_gain(
    counts: Counts, canary_stake: Array, stable_stake: Array, edge: Array, base: Array
) -> Array:
    canary_bad, stable_bad = counts.canary_bad[..., None], counts.stable_bad[..., None]
    canary_good = counts.canary_n[..., None] - canary_bad
    stable_good = counts.stable_n[..., None] - stable_bad
    gain = (
        canary_bad * np.log1p(canary_stake * (1 - edge))
        + canary_good * np.log1p(-canary_stake * edge)
        + stable_bad * np.log1p(-stable_stake * (1 - base))
        + stable_good * np.log1p(stable_stake * base)
    )
    return np.where(counts.compares[..., None], gain, 0.0)
