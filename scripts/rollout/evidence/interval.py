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

# Tunable: the differences at which an interval can end. They are displayed and decide
# nothing; more of them cost time at every look.
HALF = np.array([0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.9])
DIFFERENCES = np.concatenate([-HALF[::-1], [0.0], HALF])  # both signs, and zero
# One bet against "at most" and one against "at least" each difference.
SIGNS = np.repeat([1.0, -1.0], len(DIFFERENCES))
MARGINS = np.tile(DIFFERENCES, 2)  # of both bets

# Tunable: scrapes that one bet covers, for a sixth of the cost; a minute at the default
# interval. The bet is valid while the weight or both rates stay the same.
EVERY = 6


@dataclass(frozen=True, slots=True)
class Interval:
    """One bet against each difference from either side, on the counts so far.

    `logs`: (M, 2 x differences), first those against "at most", then "at least".
    `seen`, `waiting`: canary bad and n, stable bad and n (4, M); `seen` is in the bets,
    `waiting` is not yet: one bet on several scrapes is as valid and costs less.
    """

    logs: Array
    seen: Array
    waiting: Array
    scrapes: int

    @classmethod
    def begin(cls, metrics: int) -> "Interval":
        """Return an interval without counts: every difference is possible."""
        empty = np.zeros((4, metrics))
        return cls(np.zeros((metrics, len(MARGINS))), empty, empty, 0)

    def over(self, counts: Counts, phi: Array) -> "list[Interval]":
        """Return the interval after each of T scrapes; `counts` (T, M), `phi` (M)."""
        columns = (counts.canary_bad, counts.canary_n, counts.stable_bad)
        waiting = self.waiting + np.cumsum(
            [*columns, counts.stable_n], axis=1
        ).swapaxes(0, 1)
        numbers = self.scrapes + 1 + np.arange(len(waiting))
        (settles,) = np.nonzero(numbers % EVERY == 0)
        base = np.concatenate([np.zeros((1, *self.seen.shape)), waiting[settles]])
        gains = _log_e(self.seen + base[:-1], np.diff(base, axis=0), phi)
        logs = self.logs + np.cumsum(gains, axis=0)
        found = []
        for t, number in enumerate(numbers):
            k = number // EVERY - self.scrapes // EVERY
            found.append(
                Interval(
                    logs[k - 1] if k else self.logs,
                    self.seen + base[k],
                    waiting[t] - base[k],
                    int(number),
                )
            )
        return found

    def settled(self, phi: Array) -> "Interval":
        """Bet on the waiting counts too: the bounds then include the newest scrape."""
        logs = self.logs + _log_e(self.seen, self.waiting, phi)
        seen = self.seen + self.waiting
        return Interval(logs, seen, np.zeros_like(seen), self.scrapes)

    def bounds(self, alpha: float) -> tuple[Array, Array]:
        """Return the lower and the upper end (M) as fractions, at widest -1 and 1.

        The true difference lies between them at every look with probability 1 - alpha.
        They are rounded outwards to the differences that are bet on.
        """
        is_out = self.logs >= math.log(2 / alpha)
        below, above = np.split(is_out, 2, axis=-1)
        low = np.where(below, DIFFERENCES, -1.0).max(axis=-1)
        high = np.where(above, DIFFERENCES, 1.0).min(axis=-1)
        return low, high


def _log_e(seen: Array, waiting: Array, phi: Array) -> Array:
    """Return log e-values of `waiting` (..., 4, M), bet on the rates in `seen`."""
    # Tunable: the rates so far are shrunken towards 0.01, as in `processes`.
    rates = (seen[..., ::2, :] + 0.01 * SHRINKAGE) / (seen[..., 1::2, :] + SHRINKAGE)
    bets = Bets(SIGNS, MARGINS, rates[..., 0, :, None], rates[..., 1, :, None])
    return log_e(Counts(*np.moveaxis(waiting, -2, 0)), bets) / phi[:, None]
