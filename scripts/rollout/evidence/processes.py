"""Evidence that grows scrape by scrape: one process for a rollback, one for a gate.

docs/proofs.md, "Mixture" and "Gates".
"""

from dataclasses import dataclass

import numpy as np

from scripts.rollout.evidence.arrays import Array
from scripts.rollout.evidence.mixture import Mixture
from scripts.rollout.evidence.two_sample import Bets, Counts

# Tunable: how much worse a canary is bet to be, doubling from half the default budget
# of errors to nearly everything. Any values are valid; three find +2 % a look later.
EXCESSES = np.array([0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 0.95])
# Tunable: before anything was seen the stable is taken for one bad in a hundred, worth
# fifty requests.
PRIOR_BAD, PRIOR_REQUESTS = 0.5, 50.0
# Tunable: requests of the canary's for which its own rate counts half, the stable's the
# rest. 5 decides the same, 80 a look sooner (tests/bench/DECISIONS.md, "Constants").
SHRINKAGE = 20.0
# Tunable: a rate of 1 or more is none that could come true.
LARGEST_RATE = 0.98
# Guarantee: exp overflows beyond 709. A cap makes an e-value smaller, never larger.
LARGEST_LOG_E = 600.0


@dataclass(frozen=True, slots=True)
class RollbackEvidence:
    """Evidence against "the canary is worse by at most a tolerance": for a rollback.

    `stable_bad` of `stable_n` (...) are counts so far; `mixture` is over EXCESSES.
    """

    mixture: Mixture
    stable_bad: Array
    stable_n: Array

    @classmethod
    def begin(cls, shape: tuple[int, ...]) -> "RollbackEvidence":
        """No evidence; the stable's rate starts as one bad in a hundred."""
        return cls(
            Mixture.begin((*shape, len(EXCESSES))),
            np.full(shape, PRIOR_BAD),
            np.full(shape, PRIOR_REQUESTS),
        )

    @property
    def stable_rate(self) -> Array:
        """The stable's bad share so far (...)."""
        return self.stable_bad / self.stable_n

    @staticmethod
    def bets(tolerance: Array, stable_rate: Array) -> Bets:
        """Bet on each excess over the tolerance (M), from a stable rate (..., M)."""
        base, margin = stable_rate[..., None], tolerance[..., None]
        rates = np.minimum(base + margin + EXCESSES, LARGEST_RATE)
        return Bets(np.ones(1), margin, rates, base)

    def before(self, counts: Counts) -> "RollbackEvidence":
        """What is known of the stable before each of some scrapes (first axis)."""
        bad, n = counts.compared_stable
        return RollbackEvidence(
            self.mixture,
            self.stable_bad + np.cumsum(bad, axis=0) - bad,
            self.stable_n + np.cumsum(n, axis=0) - n,
        )


@dataclass(frozen=True, slots=True)
class GateEvidence:
    """Evidence against "the canary is worse by a margin or more": for a gate.

    `logs` (..., 2): logarithms of two bets, on the stable's rate and on the canary's
    own, shrunken towards it. The others (...) are the counts that a gate has seen.
    """

    logs: Array
    canary_bad: Array
    canary_n: Array
    stable_bad: Array
    stable_n: Array

    @classmethod
    def begin(cls, shape: tuple[int, ...], bad: Array, n: Array) -> "GateEvidence":
        """No evidence; `bad` of `n` is what is known of the stable."""
        return cls(
            np.zeros((*shape, 2)),
            np.zeros(shape),
            np.zeros(shape),
            np.broadcast_to(bad, shape),
            np.broadcast_to(n, shape),
        )

    def bets(self, margin: Array) -> Bets:
        """Both bets against `margin`, which has the shape of the evidence."""
        base = self.stable_bad / self.stable_n
        shrunken = (self.canary_bad + SHRINKAGE * base) / (self.canary_n + SHRINKAGE)
        # Tunable: short of the margin itself, where nothing would be bet.
        own = np.minimum(shrunken, base + 0.9 * margin)
        rates = np.stack([base, own], axis=-1)
        return Bets(-np.ones(1), margin[..., None], rates, base[..., None])

    def before(self, counts: Counts) -> "GateEvidence":
        """What is known before each of some scrapes (first axis); `logs` stay."""
        columns = (counts.canary_bad, counts.canary_n, *counts.compared_stable)
        seen = (self.canary_bad, self.canary_n, self.stable_bad, self.stable_n)
        pairs = zip(seen, columns, strict=True)
        return GateEvidence(
            self.logs, *(a + np.cumsum(b, axis=0) - b for a, b in pairs)
        )

    @property
    def value(self) -> Array:
        """The e-value (...): the mean of both bets."""
        mixed: Array = np.exp(np.minimum(self.logs, LARGEST_LOG_E)).mean(axis=-1)
        return mixed
