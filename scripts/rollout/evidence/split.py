"""Evidence that the canary gets another share of the requests than the one set.

Each request is given to the canary with the probability that the route says; so the
counts of a scrape are binomial, and a likelihood ratio tests them at every look.
docs/proofs.md, "Split".
"""

from dataclasses import dataclass, replace

import numpy as np

from scripts.rollout.evidence.arrays import Array
from scripts.rollout.evidence.mixture import Mixture

# Tunable: by what factor the odds are off beyond the tolerance. The small ones find
# one replica of ten that is not counted, the large ones a route that is not in force.
FACTORS = np.array([1.1, 1.25, 1.5, 2.0, 4.0, 20.0])
# Guarantee: both directions; -1 is too few requests for the canary, 1 too many.
SIDES = np.repeat([-1.0, 1.0], len(FACTORS))
# Guarantee: of sum 1.
WEIGHTS = np.full(len(SIDES), 1 / len(SIDES))
# Guarantee: the probability that a split that is right is ever called moved.
ALARM = 0.001
# Tunable, and part of what is said: the probability that a split that is still moved by
# twice the tolerance is called right again.
AGAIN = 0.05
# Tunable: how often evidence begins anew for a split that moves later, in seconds.
EPOCH_S = 60.0
# Tunable: a first difference of this square, so that a scrape's requests count as in
# clusters of ten until others were seen. With 2 clusters of ten raise a false alarm in
# 18 of 100 rollouts, with 10 in none, and odds of a half are found in 40 s, not in 10.
PRIOR = 10.0


def log_e(share: float, tolerance: float, canary: float, stable: float) -> Array:
    """Return log e-values, one for each alternative, of one scrape's requests.

    The hypothesis: the odds of the canary's share are those of `share`, or off by
    `tolerance` at most.
    """
    edge = _odds(share) * (1 + tolerance) ** SIDES
    return _ratio(edge, edge * np.tile(FACTORS, 2) ** SIDES, canary, stable)


def log_right(
    share: float, tolerance: float, side: int, canary: float, stable: float
) -> float:
    """Return the log e-value against "still off to one side by twice the tolerance"."""
    off = _odds(share) * (1 + tolerance) ** (2 * side)
    return float(_ratio(np.array(off), np.array(_odds(share)), canary, stable))


def _odds(share: float) -> float:
    return share / (1 - share)


def _ratio(null: Array, other: Array, canary: float, stable: float) -> Array:
    """Return the log likelihood ratio of two odds."""
    ratio: Array = canary * np.log(other / null)
    found: Array = ratio + (canary + stable) * (np.log1p(null) - np.log1p(other))
    return found


@dataclass(frozen=True, slots=True)
class Clusters:
    """How many requests go to one arm together, by scrapes that follow each other.

    `canary` of `n` are the last scrape's; `squares` of `pairs` differences between two,
    each 1 on average where every request is drawn for itself. What moved the split for
    good takes no part in it.
    """

    canary: float = 0.0
    n: float = 0.0
    squares: float = PRIOR
    pairs: float = 1.0

    @property
    def phi(self) -> float:
        """Return the cluster size that holds for the next scrape, 1 or more."""
        return max(self.squares / self.pairs, 1.0)

    def add(self, canary: float, n: float) -> "Clusters":
        """Return the estimate after one more scrape at the same weight."""
        new = replace(self, canary=canary, n=n)
        share = (self.canary + canary) / (self.n + n)
        spread = share * (1 - share)
        if not self.n or not spread:
            return new
        apart = canary / n - self.canary / self.n
        square = apart**2 / (spread * (1 / n + 1 / self.n))
        return replace(new, squares=self.squares + square, pairs=self.pairs + 1)


@dataclass(frozen=True, slots=True)
class Split:
    """Evidence that the split moved, or since it did that it is right again.

    `canary` of `n` requests were counted at the last `share`. `side`: 1 where the
    canary has too many, -1 where it has too few, 0 where nothing was found; `right` is
    the e-value for its return.
    """

    began: float
    mixture: Mixture
    clusters: Clusters = Clusters()
    share: float = 0.0
    canary: float = 0.0
    n: float = 0.0
    side: int = 0
    since: float = 0.0
    right: float = 1.0

    @classmethod
    def begin(cls, now: float) -> "Split":
        """Return no evidence."""
        return cls(now, Mixture.begin((len(SIDES),)))

    def add(
        self, share: float, tolerance: float, counts: tuple[float, float], now: float
    ) -> "Split":
        """Return the evidence after one scrape at a share that was set.

        Its exponent is the inverse of the cluster size known before it.
        """
        canary, stable = counts
        n = canary + stable
        same = self if share == self.share else self._at(share)
        clusters = same.clusters.add(canary, n)
        counted = replace(
            same, clusters=clusters, canary=same.canary + canary, n=same.n + n
        )
        if self.side:
            bet = log_right(share, tolerance, self.side, canary, stable)
            right = max(self.right, 1.0) * np.exp(min(bet / same.clusters.phi, 50.0))
            if right < 1 / AGAIN:
                return replace(counted, right=float(right))
            return replace(Split.begin(now), clusters=clusters, share=share)
        logs = log_e(share, tolerance, canary, stable) / same.clusters.phi
        is_new = now - self.began >= (self.mixture.epoch + 1) * EPOCH_S
        (mixture,) = self.mixture.over(logs[None], [is_new])
        counted = replace(counted, mixture=mixture)
        if mixture.value(WEIGHTS) < 1 / ALARM:
            return counted
        parts = mixture.whole + mixture.late
        return replace(counted, side=int(SIDES[parts.argmax()]), since=now, right=1.0)

    def _at(self, share: float) -> "Split":
        """Return the evidence with new counts for another share."""
        clusters = replace(self.clusters, canary=0.0, n=0.0)
        return replace(self, clusters=clusters, share=share, canary=0.0, n=0.0)
