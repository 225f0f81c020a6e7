"""A managed service's own guardrail, and this project's decisions on that service.

The guardrail is SageMaker's canary as its developer guide describes it: half of the
fleet, a baking period, CloudWatch alarms. Both fleets have one variant's name, so an
alarm sees them together. Its data are taken to be there at once, and its way back too.
"""

from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.bench.decisions.ours import Ours
from tests.bench.decisions.peers.tools import MINUTE_S, Peer
from tests.bench.decisions.world.rates import Array
from tests.bench.decisions.world.streams import Seen

BAKE_S = 600.0
ALARM_S = 300.0
LAG_S = 120.0  # our policy's source.cloudwatch.lag
MOVES_S = 120.0  # a guess: until a weight that was asked for is in force


class Guardrail(Peer):
    """Half of the traffic for ten minutes, then all, unless an alarm goes off.

    An alarm looks each minute at the share of the last five.
    """

    steps = (50,)

    def __init__(
        self, rollouts: int, interval_s: float, errors: float, slow: float
    ) -> None:
        """Alarm above these shares of errors, and of answers over 250 ms."""
        super().__init__(rollouts, interval_s)
        self.name = f"its guardrail, alarms at {errors:.0%} and {slow:.0%}"
        self._limits = np.array([errors, slow])
        self._counts: deque[Array] = deque(maxlen=round(ALARM_S / interval_s))

    def see(self, seen: Seen, now_s: float) -> None:
        """Add up both fleets, look each minute."""
        canary_bad, canary_n, stable_bad, stable_n = seen.counts()
        both = [canary_bad + stable_bad, canary_n + stable_n]
        self._counts.append(np.stack(both))
        if now_s % MINUTE_S:
            return
        bad, n = np.sum(self._counts, axis=0)
        self.roll_back((bad > self._limits * n).any(axis=-1), now_s)
        if now_s >= BAKE_S:
            self.promote(np.ones(self.rollouts, dtype=bool), now_s)

    def check(self, now_s: float) -> None:
        """Nothing beside `see`."""


class OnService:
    """Ours where a look is old and a weight moves slowly.

    What came while a weight moved, or before it, is not counted.
    """

    def __init__(self, inner: Ours, interval_s: float) -> None:
        """Begin with the first step in force."""
        self.name, self.interval_s = "ours, on SageMaker", interval_s
        self._inner = inner
        self._asked = inner.weight
        self.weight = inner.weight
        self._since = np.zeros(len(self._asked))
        self._late: deque[tuple[Seen, npt.NDArray[np.int64]]] = deque()
        self.promoted = np.full(len(self._asked), np.nan)
        self.rolled_back = np.full(len(self._asked), np.nan)

    @property
    def passed(self) -> Array:
        """When the last gate opened."""
        return self._inner.passed

    @property
    def is_on(self) -> npt.NDArray[np.bool_]:
        """Whose end is not in force yet."""
        return np.asarray(np.isnan(self.promoted) & np.isnan(self.rolled_back))

    def see(self, seen: Seen, now_s: float) -> None:
        """Keep a look until it is read; move what was asked for long enough ago."""
        is_still = self.weight == self._asked
        self._late.append((seen, np.where(is_still, self.weight, -1)))
        if len(self._late) > LAG_S / self.interval_s:
            old, weight = self._late.popleft()
            users = np.where(weight == self._inner.weight, old.users, 0.0)
            self._inner.see(Seen(users, old.pairs), now_s)
        wish: Any = self._inner.weight
        is_new = wish != self._asked
        is_free = self.weight == self._asked  # no order while one is carried out
        self._since = np.where(is_new & is_free, now_s, self._since)
        self._asked = np.where(is_new & is_free, wish, self._asked)
        is_there = now_s - self._since >= MOVES_S
        self.weight = np.where(is_there, self._asked, self.weight)
        back = ~np.isnan(self._inner.rolled_back) & (self.weight == 0) & self.is_on
        self.rolled_back = np.where(back, now_s, self.rolled_back)
        on = ~np.isnan(self._inner.promoted) & (self.weight == 100) & self.is_on
        self.promoted = np.where(on, now_s, self.promoted)
