"""Evidence from pairs that grows scrape by scrape, beside that from users' requests.

docs/proofs.md, "Rollback" and "Gates".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from scripts.rollout.evidence import one_sample
from scripts.rollout.evidence.arrays import Array
from scripts.rollout.evidence.mixture import Mixture
from scripts.rollout.evidence.pairs.paired import PairBets, PairCounts, log_e
from scripts.rollout.evidence.processes import (
    ENOUGH,
    EXCESS_WEIGHTS,
    EXCESSES,
    LARGEST_RATE,
    SHRINKAGE,
)

# Tunable: pairs after which what was seen weighs as much as the expectation that both
# arms are bad independently of each other. 20 takes a good canary a tenth longer.
PRIOR_PAIRS = 200.0


@dataclass(frozen=True, slots=True)
class PairedEvidence:
    """Evidence from pairs alone; `Evidence` adds it to the users'.

    `worse` is over EXCESSES, for a rollback. `gate_logs` (..., M, G, 2) are as in
    `GateEvidence`. `seen` are the pairs so far (..., M).
    """

    worse: Mixture
    gate_logs: Array
    seen: PairCounts

    @classmethod
    def begin(cls, lead: tuple[int, ...], gates: int) -> "PairedEvidence":
        """Return no evidence; `lead` is the shape of the counts."""
        return cls(
            Mixture.begin((*lead, len(EXCESSES))),
            np.zeros((*lead, gates, 2)),
            PairCounts(*np.zeros((4, *lead))),
        )

    @property
    def value(self) -> Array:
        """Return the e-value (..., M) for a rollback."""
        return self.worse.value(EXCESS_WEIGHTS)

    def aged(self, new_epochs: Sequence[bool]) -> "list[PairedEvidence]":
        """Return the evidence after each of T scrapes without pairs."""
        nothing = np.zeros((len(new_epochs), *self.worse.whole.shape))
        mixtures = self.worse.over(nothing, new_epochs)
        return [replace(self, worse=each) for each in mixtures]

    def against(
        self, pairs: PairCounts, limit: Array, tolerance: Array, known: Array
    ) -> Array:
        """Return log e-values (..., M, EXCESSES) of one scrape for a rollback.

        `known` (..., M) is the stable's bad share so far.
        """
        base, margin = self._apart(known)[..., None], tolerance[:, None]
        worse = np.minimum(base + margin + EXCESSES, LARGEST_RATE)
        logs = log_e(pairs, PairBets(np.ones(1), margin, worse, base))
        is_limited = ~np.isnan(limit)
        highest = np.where(is_limited, limit, 0.5)
        alone = one_sample.log_e(highest, pairs.only_canary, pairs.n, EXCESSES)
        return np.where(is_limited[:, None], alone, logs)

    def for_gates(self, pairs: PairCounts, margins: Array, known: Array) -> Array:
        """Return log e-values (..., M, G, 2) of one scrape for the gates."""
        apart = self._apart(known)
        own = (self.seen.only_canary + SHRINKAGE * apart) / (self.seen.n + SHRINKAGE)
        base = apart[..., None]
        # Tunable: below the margin itself, where the stake would be zero.
        own = np.minimum(own[..., None], base + 0.9 * margins)
        chances = np.stack([base + np.zeros_like(own), own], axis=-1)
        bets = PairBets(-np.ones(1), margins[..., None], chances, base[..., None])
        columns = (pairs.only_canary, pairs.only_stable, pairs.both, pairs.n)
        return log_e(PairCounts(*(each[..., None] for each in columns)), bets)

    def after(
        self, pairs: PairCounts, against: Array, for_gates: Array, needed: Array
    ) -> "PairedEvidence":
        """Return the evidence with one scrape's logarithms added."""
        (worse,) = self.worse.over(against[None], [False])
        seen = PairCounts(
            self.seen.only_canary + pairs.only_canary,
            self.seen.only_stable + pairs.only_stable,
            self.seen.both + pairs.both,
            self.seen.n + pairs.n,
        )
        cap = np.log(ENOUGH * needed)[:, None]
        return PairedEvidence(worse, np.minimum(self.gate_logs + for_gates, cap), seen)

    def _apart(self, known: Array) -> Array:
        """Return the chance (..., M) that the answer of one given arm alone is bad.

        It is the same for both arms if the canary is as good as the stable.
        """
        prior = known * (1 - known) * PRIOR_PAIRS
        seen = (self.seen.only_canary + self.seen.only_stable) / 2
        found: Array = (seen + prior) / (self.seen.n + PRIOR_PAIRS)
        return found
