"""What the stable's scrapes have shown of how outcomes depend on each other.

docs/proofs.md, "Few scrapes".
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scripts.rollout.evidence.arrays import Array

# All tunable, and part of the guarantee; chosen by simulation, on 1,000 rollouts.
# Fewer scrapes of the stable than these may not have shown what its outcomes do. Until
# they are known, phi is estimated anew whenever there are so many times as many.
FEW, GROWN = 480, 1.5
# And one scrape multiplies the evidence for a rollback by at most so much: it may be a
# burst, as both arms have them. A canary that answers nothing goes in two looks.
BURST = 16.0


@dataclass(frozen=True, slots=True)
class Learned:
    """The stable's scrapes so far, none once they are not FEW any more.

    `scrapes` (T, M, 2) are bad and n; phi rests on the first `used` of them.
    """

    scrapes: Array
    used: int

    @classmethod
    def begin(cls, scrapes: Array) -> "Learned":
        """Return what is known where phi rests on all of `scrapes`."""
        used = len(scrapes)
        return cls(scrapes if used < FEW else scrapes[:0], used)

    @property
    def is_little(self) -> bool:
        """Return whether more scrapes may show what these have not."""
        return len(self.scrapes) > 0

    @property
    def most(self) -> float:
        """Return how often one scrape may multiply the evidence for a rollback."""
        return BURST if self.is_little else math.inf

    @property
    def is_due(self) -> bool:
        """Return whether phi is to be estimated anew."""
        return self.is_little and len(self.scrapes) >= self._next

    @property
    def _next(self) -> int:
        return min(int(GROWN * self.used), FEW)

    def until_due(self, scrapes: Array) -> int:
        """Return how many of these scrapes come before phi is estimated anew."""
        if not self.is_little:
            return len(scrapes)
        known = len(self.scrapes) + np.cumsum(_has_requests(scrapes))
        return int(np.searchsorted(known, self._next)) + 1

    def plus(self, scrapes: Array) -> "Learned":
        """Return these scrapes added to those that are kept."""
        if not self.is_little:
            return self
        new = scrapes[_has_requests(scrapes)]
        return Learned(np.concatenate([self.scrapes, new]), self.used)


def _has_requests(scrapes: Array) -> npt.NDArray[np.bool_]:
    return np.asarray((scrapes[..., 1] > 0).any(axis=-1))
