"""Tests whether two arms predict different labels, as a comparison of two shares.

Labels that the canary predicted more often than the stable in earlier scrapes form one
set. The shares of that set in both arms are bet on as shares of errors are.
The difference of any set's shares is at most the total variation distance, so evidence
against the one is evidence against the other. docs/proofs.md, "Labels".
"""

from dataclasses import dataclass

import numpy as np

from scripts.rollout.evidence.arrays import Array
from scripts.rollout.evidence.processes import SHRINKAGE
from scripts.rollout.evidence.two_sample import Counts


@dataclass(frozen=True, slots=True)
class Labels:
    """Predictions by label so far in each arm, of shape (..., labels).

    Each scrape has the same size in both arms, so that the sums have the same mix of
    scrapes, whatever the weight was in each.
    """

    canary: Array
    stable: Array

    @classmethod
    def begin(cls, shape: tuple[int, ...]) -> "Labels":
        """Return empty counts; the last axis of `shape` is the labels."""
        return cls(np.zeros(shape), np.zeros(shape))

    @classmethod
    def of(cls, canary: Array, stable: Array) -> "Labels":
        """Return scrapes' predictions (..., labels) in equal sizes (Mantel-Haenszel).

        The size n_c * n_s / (n_c + n_s) is 0 where only one arm predicted anything.
        """
        n = [arm.sum(axis=-1, keepdims=True) for arm in (canary, stable)]
        both = np.maximum(n[0] + n[1], 1.0)
        return cls(canary * n[1] / both, stable * n[0] / both)

    def widened(self, labels: int) -> "Labels":
        """Return the counts padded with zeros to `labels` labels."""
        missing = [(0, 0)] * (self.canary.ndim - 1)
        missing.append((0, labels - self.canary.shape[-1]))
        return Labels(np.pad(self.canary, missing), np.pad(self.stable, missing))

    def compare(self, canary: Array, stable: Array) -> tuple[Counts, Array]:
        """Count one scrape's predictions (..., labels) inside and outside the set.

        Returns counts (...) in which "bad" means inside, and the share (...) of the
        set in the stable's past. While no label is in the set all counts are 0.
        """
        stable_share = _shares(self.stable)
        n = self.canary.sum(axis=-1, keepdims=True)
        canary_share = (self.canary + SHRINKAGE * stable_share) / (n + SHRINKAGE)
        inside = canary_share > stable_share
        is_set = inside.any(axis=-1)
        counts = Counts(
            np.where(inside, canary, 0.0).sum(axis=-1),
            np.where(is_set, canary.sum(axis=-1), 0.0),
            np.where(inside, stable, 0.0).sum(axis=-1),
            np.where(is_set, stable.sum(axis=-1), 0.0),
        )
        return counts, np.where(inside, stable_share, 0.0).sum(axis=-1)

    def before(self, scrapes: "Labels") -> "Labels":
        """Return the counts before each of T scrapes, (T, ..., labels)."""
        return Labels(
            self.canary + np.cumsum(scrapes.canary, axis=0) - scrapes.canary,
            self.stable + np.cumsum(scrapes.stable, axis=0) - scrapes.stable,
        )

    def plus(self, other: "Labels") -> "Labels":
        """Return both counts added up."""
        return Labels(self.canary + other.canary, self.stable + other.stable)

    @property
    def distance(self) -> Array:
        """Return the total variation distance (...) of the shares so far, from 0 to 1.

        It is 0 where an arm has predicted nothing. It is displayed and decides nothing:
        with few predictions it is large by chance.
        """
        apart = np.abs(_shares(self.canary) - _shares(self.stable)).sum(axis=-1) / 2
        seen = (self.canary.sum(axis=-1) > 0) & (self.stable.sum(axis=-1) > 0)
        return np.where(seen, apart, 0.0)


def _shares(counts: Array) -> Array:
    shares: Array = counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1.0)
    return shares
