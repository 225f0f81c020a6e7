"""A confidence sequence for the difference of two bad shares: it holds at every look.

It consists of the differences that no bet has ruled out yet. It is displayed; no
decision reads it. docs/proofs.md, "The interval that is shown".
"""

import math
from dataclasses import dataclass

import numpy as np

from scripts.rollout.evidence.arrays import Array
from scripts.rollout.evidence.processes import SHRINKAGE
from scripts.rollout.evidence.two_sample import Bets, Counts, log_e

# Tunable: the sizes of a difference at which an interval can end, six in each power of
# ten. They are displayed and decide nothing; more of them cost time at every look.
SIZES = np.array(
    [
        *(0.0005, 0.0007, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.007, 0.01, 0.015, 0.02),
        *(0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 0.9),
    ]
)
# "At most" zero and each size, then "at least" each size. Both are also bet on with the
# arms exchanged: the bets on a difference below zero are those on one above it.
MARGINS = np.concatenate([[0.0], SIZES, SIZES])
# Guarantee: each margin has its own side.
SIGNS = np.repeat([1.0, -1.0], [len(SIZES) + 1, len(SIZES)])
# Guarantee: rows (canary bad, n, stable bad, n) with the arms exchanged.
EXCHANGED = np.array([2, 3, 0, 1])


@dataclass(frozen=True, slots=True)
class Interval:
    """One bet against each difference from either side, on the counts so far.

    `logs` (2, M, margins): canary minus stable, then stable minus canary. `seen`:
    canary bad and n, stable bad and n (4, M). `shares`: sums over scrapes of the
    canary's share, the stable's share, and 1, each times the scrape's size (3, M).
    `rate` (M): the stable's bad share before.
    """

    logs: Array
    seen: Array
    shares: Array
    rate: Array

    @classmethod
    def begin(cls, rate: Array) -> "Interval":
        """Return an interval without counts: every difference is possible."""
        metrics = len(rate)
        logs = np.zeros((2, metrics, len(MARGINS)))
        return cls(logs, np.zeros((4, metrics)), np.zeros((3, metrics)), rate)

    def over(
        self, counts: Counts, phi: Array, *, is_shown: bool = True
    ) -> "list[Interval]":
        """Return the interval after each of T scrapes; `counts` (T, M), `phi` (M).

        Each scrape is a bet of its own, so nothing is added up over changing weights.
        One that is not shown, as in a replay, counts without a bet.
        """
        columns = [counts.canary_bad, counts.canary_n, counts.stable_bad]
        rows = np.stack([*columns, counts.stable_n], axis=1)
        seen = self.seen + np.cumsum(rows, axis=0)
        logs = np.broadcast_to(self.logs, (len(rows), *self.logs.shape))
        if is_shown:
            gains = _log_e(seen - rows, rows, self.rate) / phi[:, None]
            logs = self.logs + np.cumsum(gains, axis=0)
        shares = self.shares + np.cumsum(_shares(rows), axis=0)
        return [
            Interval(logs[t], seen[t], shares[t], self.rate) for t in range(len(rows))
        ]

    @property
    def standardised(self) -> Array:
        """Return the bad shares of canary and stable over the same scrapes (2, M).

        Totals over changing weights compare the canary's late scrapes with the stable's
        early ones. Here each scrape has the same size in both arms (Mantel-Haenszel).
        """
        size = self.shares[2]
        return self.shares[:2] / np.where(size > 0, size, 1.0)

    def bounds(self, alpha: float) -> tuple[Array, Array]:
        """Return the lower and the upper end (M) as fractions, at widest -1 and 1.

        The true difference lies between them at every look with probability 1 - alpha.
        They are rounded outwards to the differences that are bet on.
        """
        is_out = self.logs >= math.log(2 / alpha)
        at_most, at_least = np.split(is_out, [len(SIZES) + 1], axis=-1)
        more = np.where(at_most, MARGINS[: len(SIZES) + 1], -1.0).max(axis=-1)
        less = np.where(at_least, SIZES, 1.0).min(axis=-1)
        low = np.where(more[0] >= 0, more[0], -less[1])
        high = np.where(more[1] >= 0, -more[1], less[0])
        return low, high


def _shares(rows: Array) -> Array:
    """Return both arms' shares in each scrape and 1 (T, 3, M), times its size."""
    canary_bad, canary_n, stable_bad, stable_n = rows.swapaxes(0, 1)
    n = np.maximum(canary_n + stable_n, 1.0)
    columns = [canary_bad * stable_n, stable_bad * canary_n, canary_n * stable_n]
    shares: Array = np.stack(columns, axis=1) / n[:, None]
    return shares


def _log_e(seen: Array, rows: Array, rate: Array) -> Array:
    """Return log e-values of `rows` (T, 4, M), bet on the rates in `seen`.

    An arm's first scrape is not bet on: nothing is known of its rate yet.
    """
    bad, n = seen[:, ::2], seen[:, 1::2]
    rates = (bad + rate * SHRINKAGE) / (n + SHRINKAGE)
    arms = np.stack([rates, rates[:, ::-1]], axis=2)
    both = np.stack([rows, rows[:, EXCHANGED]], axis=2)
    bets = Bets(SIGNS, MARGINS, arms[:, 0, ..., None], arms[:, 1, ..., None])
    gains = log_e(Counts(*both.swapaxes(0, 1)), bets)
    is_known = np.where(n > 0, 1.0, 0.0).prod(axis=1)
    gained: Array = gains * is_known[:, None, :, None]
    return gained
