"""One-sample evidence that a bad share exceeds a limit: no other arm is needed.

docs/proofs.md, "Rollback".
"""

import numpy as np

from scripts.rollout.evidence.arrays import Array

# Tunable: alternatives for the bad share, as fractions of the way from the ceiling to
# 1. The small ones find 25 % over a ceiling of 20 % in about 60 looks of 25 requests;
# 0.5 alone does not in 400.
BEYOND = np.array([0.1, 0.25, 0.5, 0.75, 0.95])
# Tunable: their weights, of sum 1.
BEYOND_WEIGHTS = np.full(len(BEYOND), 1 / len(BEYOND))


def log_e(
    ceiling: Array | float, bad: Array, n: Array, beyond: Array = BEYOND
) -> Array:
    """Return log e-values of one scrape against "the bad share is at most `ceiling`".

    `bad` of `n` are counts (...), the result is (..., alternatives): a likelihood ratio
    for each share `beyond` the ceiling, whose mean is at most one wherever the
    hypothesis holds. With a ceiling of one half, on pairs of which
    exactly one is bad, this is McNemar's test at every look.
    """
    limit = np.asarray(ceiling)[..., None]
    rates = limit + (1 - limit) * beyond
    gain, loss = np.log(rates / limit), np.log((1 - rates) / (1 - limit))
    gained: Array = bad[..., None] * gain + (n - bad)[..., None] * loss
    return gained
