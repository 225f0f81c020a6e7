"""Evidence that grows scrape by scrape: one process for a rollback, one for a gate.

docs/proofs.md, "Mixture" and "Gates".
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from scripts.rollout.evidence.arrays import Array
from scripts.rollout.evidence.mixture import Mixture
from scripts.rollout.evidence.two_sample import TINY, Bets, Counts

# Tunable: alternatives for a worse canary's excess, doubling from half the default
# budget of errors to nearly 1. Any are valid; three of them find +2 % a look later.
EXCESSES = np.array([0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 0.95])
# Tunable: their weights in the evidence, of sum 1; most on what is found in a minute:
# the small ones need longer than a rollout, the large ones two looks.
EXCESS_WEIGHTS = np.array([1, 2, 5, 8, 4, 2, 1, 1, 1, 1]) / 26
# Tunable: the stable's prior is a bad share of one in a hundred, worth fifty requests.
PRIOR_BAD, PRIOR_REQUESTS = 0.5, 50.0
# Tunable: bets are on the rates of so many last requests of an arm: in a daily wave the
# rates of long ago are poor ones.
MEMORY = 2000.0
# Tunable: a scrape whose square of (seen - expected) is so many times what chance gives
# begins or ends an incident; what was before it counts as the prior does then.
SURPRISE = 25.0
# Tunable: the number of the canary's requests at which its own rate and the stable's
# weigh the same. 5 decides the same, 80 a look sooner (tests/bench/DECISIONS.md,
# "Constants").
SHRINKAGE = 20.0
# Tunable: bets stay below a rate of 1, which no canary exceeds.
LARGEST_RATE = 0.98
# Tunable: the part of what the stable leaves to 1 that a margin may be: beside a stable
# with 30 % bad, bets on an excess of 60 % or more are bad ones. To rule out less than
# the margin is harder, so it is valid.
LARGEST_PART = 0.5
# Tunable: parts of a gate's evidence on the bets that the canary's rate is the stable's
# and that it is its own so far; their sum is 1.
GATE_BETS = np.array([0.99, 0.01])
# Tunable: each bet's part of a gate's evidence stops growing at this many times what
# opens it, so that good minutes do not pay for later bad ones. A cap makes an e-value
# smaller, never larger.
ENOUGH = 10.0
# Tunable: the part of a gate's evidence that is not bet at first. Half of the rest is
# bet whenever the bets are worth less than it: an incident of both arms, in which all
# bets were wrong, does not shut a gate for an hour.
RESERVE = 0.01
# Guarantee: exp overflows beyond 709. A cap makes an e-value smaller, never larger.
LARGEST_LOG_E = 600.0


@dataclass(frozen=True, slots=True)
class RollbackEvidence:
    """Evidence against "the canary is worse by at most a tolerance": for a rollback.

    `stable_bad` of `stable_n` (...) are the counts so far; `mixture` is over EXCESSES.
    """

    mixture: Mixture
    stable_bad: Array
    stable_n: Array

    @classmethod
    def begin(cls, bad: Array, n: Array) -> "RollbackEvidence":
        """Return no evidence; `bad` of `n` (...) are the stable's counts so far."""
        return cls(Mixture.begin((*bad.shape, len(EXCESSES))), bad, n)

    @property
    def value(self) -> Array:
        """Return the e-value (...)."""
        return self.mixture.value(EXCESS_WEIGHTS)

    @property
    def stable_rate(self) -> Array:
        """Return the stable's bad share so far (...)."""
        return self.stable_bad / self.stable_n

    @property
    def has_compared(self) -> npt.NDArray[np.bool_]:
        """Return where the stable had requests beside the canary's so far (...).

        No bet is worth exactly what it began with there.
        """
        return np.asarray((self.mixture.whole != 1).any(axis=-1))

    @staticmethod
    def bets(tolerance: Array, stable_rate: Array) -> Bets:
        """Return a bet per excess over `tolerance` (M), from `stable_rate` (..., M)."""
        base, margin = stable_rate[..., None], tolerance[..., None]
        rates = np.minimum(base + margin + EXCESSES, LARGEST_RATE)
        return Bets(np.ones(1), margin, rates, base)

    def through(
        self, counts: Counts, phi: Array
    ) -> tuple["RollbackEvidence", "RollbackEvidence"]:
        """Return the stable's counts before and after each of some scrapes (T, ...)."""
        known = (self.stable_bad, self.stable_n)
        stable = remembered(*known, *counts.compared_stable, phi)
        before, after = (RollbackEvidence(self.mixture, *each) for each in stable)
        return before, after


@dataclass(frozen=True, slots=True)
class GateEvidence:
    """Evidence against "the canary is worse by a margin or more": for a gate.

    `logs` (..., 2): logarithms of two bets, on the stable's rate and on the canary's
    own, shrunken towards it. `reserve` (...) is what is not bet yet. The others (...)
    are the counts that the gate has used.
    """

    logs: Array
    reserve: Array
    canary_bad: Array
    canary_n: Array
    stable_bad: Array
    stable_n: Array

    def anew(self) -> "GateEvidence":
        """Return no evidence; the counts stay, from which the next bets are chosen."""
        fresh = np.full_like(self.logs, math.log1p(-RESERVE))
        return replace(self, logs=fresh, reserve=np.full_like(self.reserve, RESERVE))

    @classmethod
    def begin(cls, shape: tuple[int, ...], bad: Array, n: Array) -> "GateEvidence":
        """Return no evidence; `bad` of `n` are the stable's counts so far."""
        return cls(
            np.full((*shape, 2), math.log1p(-RESERVE)),
            np.full(shape, RESERVE),
            np.zeros(shape),
            np.zeros(shape),
            np.broadcast_to(bad, shape),
            np.broadcast_to(n, shape),
        )

    def bets(self, margin: Array) -> Bets:
        """Return both bets against `margin`, which has the shape of the evidence."""
        base = self.stable_bad / self.stable_n
        margin = np.minimum(margin, LARGEST_PART * (1 - base))
        shrunken = (self.canary_bad + SHRINKAGE * base) / (self.canary_n + SHRINKAGE)
        # Tunable: below the margin itself, where the stake would be zero.
        own = np.minimum(shrunken, base + 0.9 * margin)
        rates = np.stack([base, own], axis=-1)
        return Bets(-np.ones(1), margin[..., None], rates, base[..., None])

    def through(
        self, counts: Counts, phi: Array
    ) -> tuple["GateEvidence", "GateEvidence"]:
        """Return the counts before and after each of some scrapes; the rest stays."""
        canary = remembered(
            self.canary_bad, self.canary_n, counts.canary_bad, counts.canary_n, phi
        )
        known = (self.stable_bad, self.stable_n)
        stable = remembered(*known, *counts.compared_stable, phi)
        before, after = (
            GateEvidence(self.logs, self.reserve, *a, *b)
            for a, b in zip(canary, stable, strict=True)
        )
        return before, after

    def over(self, log_factors: Array, needed: Array) -> list[tuple[Array, Array]]:
        """Return `logs` and `reserve` after each of T scrapes.

        Each bet grows up to ENOUGH times `needed` (G). What is bet anew is taken from
        the reserve before a scrape, so the sum of all stays an e-value.
        """
        enough = np.log(ENOUGH) + np.log(needed)[:, None] - np.log(GATE_BETS)
        cap, found = np.minimum(enough, LARGEST_LOG_E), []
        logs, reserve = self.logs, self.reserve
        for factor in log_factors:
            is_lost = (mixed(logs) < reserve) & (reserve > TINY)
            half = reserve / 2
            anew = np.logaddexp(logs, np.log(np.maximum(half, TINY / 2))[..., None])
            logs = np.where(is_lost[..., None], anew, logs)
            reserve = np.where(is_lost, half, reserve)
            logs = np.minimum(logs + factor, cap)
            found.append((logs, reserve))
        return found

    @property
    def value(self) -> Array:
        """Return the e-value (...)."""
        found: Array = mixed(self.logs) + self.reserve
        return found


def remembered(
    bad: Array, n: Array, new_bad: Array, new_n: Array, phi: Array
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Return bad and n of the last MEMORY requests, before and after T scrapes."""
    bads, ns = [bad], [n]
    for scrape_bad, scrape_n in zip(new_bad, new_n, strict=True):
        rate = bad / np.maximum(n, 1.0)
        expected = scrape_n * rate
        # 1: a scrape with next to nothing bad expected is no surprise by two.
        chance = expected * (1 - rate) + 1
        is_new = (scrape_bad - expected) ** 2 > SURPRISE * phi * chance
        if is_new.any():
            kept = np.minimum(1.0, PRIOR_REQUESTS / np.maximum(n, 1.0))
            kept = np.where(is_new, kept, 1.0)
            bad, n = bad * kept, n * kept
        bad, n = bad + scrape_bad, n + scrape_n
        kept = np.minimum(1.0, MEMORY / np.maximum(n, 1.0))
        bad, n = bad * kept, n * kept
        bads.append(bad)
        ns.append(n)
    return (
        (np.stack(bads[:-1]), np.stack(ns[:-1])),
        (np.stack(bads[1:]), np.stack(ns[1:])),
    )


def mixed(logs: Array) -> Array:
    """Return a gate's e-value (...): the weighted mean of both bets (..., 2)."""
    found: Array = (GATE_BETS * np.exp(logs)).sum(axis=-1)
    return found
