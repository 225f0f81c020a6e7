"""The difference of the two bad shares, with an interval that holds at every look."""

import math
from dataclasses import dataclass

import numpy as np

from scripts.rollout.arrays import Array
from scripts.rollout.evidence import SHRINKAGE, Bets, Counts, log_e

HALF = np.array([0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.9])
DIFFERENCES = np.concatenate([-HALF[::-1], [0.0], HALF])
SIGNS = np.repeat([1.0, -1.0], len(DIFFERENCES))
MARGINS = np.tile(DIFFERENCES, 2)


EVERY = 6


@dataclass(frozen=True, slots=True)
class Interval:
    """One bet against each difference from either side, on what was seen so far.

    `logs`: (M, 2 x differences), first those against "at most", then "at least".
    `seen`, `waiting`: canary bad and n, stable bad and n (4, M), in the bets and not
    yet in them: several scrapes as one are as valid, at a fraction of the cost.
    """

    logs: Array
    seen: Array
    waiting: Array
    scrapes: int

    @classmethod
    def begin(cls, metrics: int) -> "Interval":
        """Nothing seen: every difference is possible."""
        empty = np.zeros((4, metrics))
        return cls(np.zeros((metrics, len(MARGINS))), empty, empty, 0)

    def update(self, counts: Counts, scrape: int, phi: Array) -> "Interval":
        """Add one scrape of several (first axis)."""
        found = (
            *(counts.canary_bad[scrape], counts.canary_n[scrape]),
            *(counts.stable_bad[scrape], counts.stable_n[scrape]),
        )
        waiting = self.waiting + np.array(found)
        more = Interval(self.logs, self.seen, waiting, self.scrapes + 1)
        return more.settled(phi) if more.scrapes % EVERY == 0 else more

    def settled(self, phi: Array) -> "Interval":
        """With all that waits; bets on rates so far, shrunken to one in a hundred."""
        bad, n = self.seen[::2], self.seen[1::2]
        canary, stable = (bad + 0.01 * SHRINKAGE) / (n + SHRINKAGE)
        bets = Bets(SIGNS, MARGINS, canary[:, None], stable[:, None])
        logs = self.logs + log_e(Counts(*self.waiting), bets) / phi[:, None]
        seen = self.seen + self.waiting
        return Interval(logs, seen, np.zeros_like(seen), self.scrapes)

    def bounds(self, alpha: float) -> tuple[Array, Array]:
        """Lower and upper end (M): all outside is ruled out, at 1 - alpha.

        Rounded outwards to the differences that are bet on; -1 and 1 where none is.
        """
        is_out = self.logs >= math.log(2 / alpha)
        below, above = np.split(is_out, 2, axis=-1)
        low = np.where(below, DIFFERENCES, -1.0).max(axis=-1)
        high = np.where(above, DIFFERENCES, 1.0).min(axis=-1)
        return low, high
