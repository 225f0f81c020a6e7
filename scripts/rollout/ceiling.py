"""Evidence against one arm alone, for when the other compares with nothing."""

import numpy as np

from scripts.rollout.arrays import Array

BEYOND = np.array([0.1, 0.25, 0.5, 0.75, 0.95])


def log_e(ceiling: float, bad: Array, n: Array) -> Array:
    """Log e-values of one scrape against "its bad share is at most `ceiling`".

    A likelihood ratio for each share beyond it (last axis), worth at most one on
    average wherever the hypothesis holds.
    """
    rates = ceiling + (1 - ceiling) * BEYOND
    gain, loss = np.log(rates / ceiling), np.log((1 - rates) / (1 - ceiling))
    return bad[..., None] * gain + (n - bad)[..., None] * loss
