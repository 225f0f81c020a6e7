"""The seconds in which an arm's requests came, and how alike those of two arms are."""

from dataclasses import dataclass

import numpy as np

from scripts.rollout.evidence.arrays import Array

SHORTEST_S = 1e-3


@dataclass(frozen=True, slots=True)
class Spans:
    """The time and number of an arm's gains by instance: arrays of the same length."""

    starts: Array
    ends: Array
    n: Array

    @property
    def has_moved(self) -> bool:
        """Return whether anything was counted."""
        return bool(self.n.sum() > 0)

    def until(self, times: Array | float) -> Array:
        """Return the share of the requests that came before each of some times."""
        if not self.has_moved:
            return np.zeros(np.shape(times))
        lengths = np.maximum(self.ends - self.starts, SHORTEST_S)
        passed = (np.asarray(times)[..., None] - self.starts) / lengths
        found: Array = (np.clip(passed, 0.0, 1.0) * self.n).sum(-1) / self.n.sum()
        return found

    def mean(self, times: Array) -> float:
        """Return the mean of some times over the requests."""
        return float((times * self.n).sum() / self.n.sum())


def share_apart(canary: Spans, stable: Spans) -> float:
    """Return the share of requests that came in seconds of one arm alone."""
    edges = np.unique(
        np.concatenate([canary.starts, canary.ends, stable.starts, stable.ends])
    )
    a, b = canary.until(edges), stable.until(edges)
    # A window without length has all its requests at its one edge: the first counts.
    return float(np.abs(np.diff(a) - np.diff(b)).sum() + abs(a[0] - b[0])) / 2
