"""True labels of texts that both arms label differently."""

import numpy as np
import numpy.typing as npt

from tests.bench.decisions.world.cells import Labelled
from tests.bench.decisions.world.rates import Array

LABELS = -1.0  # their place among the pairs, beside shares of the users


def labels_of(
    of: Labelled | None, random: np.random.Generator, rollouts: int, seconds: float
) -> Array:
    """A uniform for each label that comes (R, most of them), NaN for none."""
    if of is None:
        return np.empty((rollouts, 0))
    n = random.poisson(of.per_minute / 60 * seconds, rollouts)
    found = random.random((rollouts, n.max()))
    return np.where(np.arange(n.max()) < n[:, None], found, np.nan)


def labelled(of: Labelled, come: Array, weights: npt.NDArray[np.int64]) -> Array:
    """(2, R): labels by which the canary is the wrong one, and all.

    Who labels by complaint has seen the wrong answer: the canary's as often as its
    weight says.
    """
    share = weights / 100 if of.by_complaint else np.full(len(weights), 0.5)
    canary, stable = of.wrong[0] * share, of.wrong[1] * (1 - share)
    wrong = come < (canary / (canary + stable))[:, None]
    return np.stack([wrong.sum(axis=1), (~np.isnan(come)).sum(axis=1)]).astype(float)
