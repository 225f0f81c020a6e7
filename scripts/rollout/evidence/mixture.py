"""Evidence that bets on several alternatives, and on several times at which they begin.

The mixture over start times is Shiryaev's and Roberts', with a prior over start times.
docs/proofs.md, "Mixture".
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scripts.rollout.evidence.arrays import Array

# Tunable: the part on bets from the first scrape, whatever is left on later beginnings.
# Most bad canaries are bad at once; 0.5 costs a canary with +2 % errors half an answer
# more, and finds what begins after an hour a look sooner.
WHOLE = 0.9
# Guarantee: a cap against overflow, also of its product with the largest factor; it
# makes an e-value smaller, never larger.
LARGEST_E = 1e100
# Guarantee: from above a cap as well. From below it lifts a factor to e^-300, which
# adds less than 1e-120 to an e-value that has not rolled back yet.
LARGEST_LOG_FACTOR = 300.0


@dataclass(frozen=True, slots=True)
class Mixture:
    """Evidence mixed over alternatives (last axis) and over the time it began.

    `whole` bets from the first scrape, `late` anew on every later epoch, so that a
    regression after hours is found as fast as an early one. `epoch` counts minutes.
    """

    whole: Array
    late: Array
    epoch: int

    @classmethod
    def begin(cls, shape: tuple[int, ...]) -> "Mixture":
        """Return no evidence: an e-value of one."""
        return cls(np.ones(shape), np.zeros(shape), 0)

    def over(self, log_factors: Array, new_epochs: Sequence[bool]) -> "list[Mixture]":
        """Return the mixture after each of T scrapes.

        `log_factors` (T, ..., alternatives) are logarithms of one scrape's e-values;
        `new_epochs` (T) says before which of them a minute began.
        """
        limit = LARGEST_LOG_FACTOR
        factors = np.exp(np.minimum(np.maximum(log_factors, -limit), limit))
        whole, late, epoch, found = self.whole, self.late, self.epoch, []
        for factor, is_new in zip(factors, new_epochs, strict=True):
            if is_new:
                epoch += 1
                # Guarantee: these parts, that on `whole` and what is to come add up
                # to 1; 1 / (m (m + 1)) is a prior over all m that needs no horizon.
                late = late + (1 - WHOLE) / (epoch * (epoch + 1))
            whole = np.minimum(whole * factor, LARGEST_E)
            late = np.minimum(late * factor, LARGEST_E)
            found.append(Mixture(whole, late, epoch))
        return found

    def value(self, weights: Array) -> Array:
        """Return the e-value (...) under `weights` of the alternatives, of sum 1.

        Bets to come count as 1.
        """
        to_come = (1 - WHOLE) / (self.epoch + 1)
        mixed: Array = (WHOLE * self.whole + self.late) @ weights + to_come
        return mixed
