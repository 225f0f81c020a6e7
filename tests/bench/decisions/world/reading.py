"""What a policy reads of its requests: at each look, or when a Prometheus scraped them.

Ours compares what the product's windows let it compare; the others take what they get.
"""

import numpy as np
import numpy.typing as npt

from tests.bench.decisions.world.cells import Read
from tests.bench.decisions.world.streams import Seen

AT_ONCE = Read()


class Readings:
    """Requests since a policy's last look."""

    def __init__(self, read: Read, rollouts: int, tick_s: float) -> None:
        """Nothing counted yet."""
        if read != AT_ONCE:
            raise NotImplementedError
        del rollouts, tick_s
        self._sum: Seen | None = None

    def add(self, seen: Seen, weight: npt.NDArray[np.int64]) -> None:
        """Requests of one tick, at these weights (R)."""
        del weight
        self._sum = seen if self._sum is None else self._sum + seen

    def take(self, now_s: float, *, compares: bool) -> Seen:
        """What is read at a look."""
        del now_s, compares
        assert self._sum is not None
        found, self._sum = self._sum, None
        return found
