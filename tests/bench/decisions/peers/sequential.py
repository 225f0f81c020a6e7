"""Published sequential methods as a rollout: at 5 % for a minute, then at 50 %.

All read cumulative counts at 50 %, roll back where a metric is worse, promote where
every metric is shown to be worse by less than its budget, and hold at their end.
"""

import math

import numpy as np
import numpy.typing as npt

from tests.bench.decisions.peers.tools import MINUTE_S, Peer
from tests.bench.decisions.world.rates import Array
from tests.bench.decisions.world.streams import Seen

BUDGETS = np.array([0.005, 0.01])
LOOKS = 8  # one a minute, as the others take at most eight minutes
ALPHA, BETA = 0.01, 0.05
LEVEL = 0.05
GRID = np.arange(-8.0, 8.0, 0.005)


class Cumulative(Peer):
    """Differences of both metrics and their errors, from all counts at 50 %."""

    steps = (5, 50)

    def __init__(self, rollouts: int, interval_s: float) -> None:
        """Nothing counted yet."""
        super().__init__(rollouts, interval_s)
        self._sums = np.zeros((4, rollouts, 2))

    def see(self, seen: Seen, now_s: float) -> None:
        """Add up at 50 %, and test."""
        if now_s > MINUTE_S:
            self._sums += seen.counts()
            self.judge(now_s)
        elif now_s == MINUTE_S:
            self.step = np.where(self.is_on, 1, self.step)

    def judge(self, now_s: float) -> None:
        """Decide on the sums."""
        raise NotImplementedError

    def difference(self) -> tuple[Array, Array]:
        """The canary's bad shares beyond the stable's, and their standard errors.

        Half a bad answer is added to each arm: without any the error would be none.
        """
        canary_bad, canary_n, stable_bad, stable_n = self._sums
        canary = (canary_bad + 0.5) / (canary_n + 1)
        stable = (stable_bad + 0.5) / (stable_n + 1)
        found = canary - stable
        spread = canary * (1 - canary) / np.maximum(canary_n, 1)
        return found, np.sqrt(spread + stable * (1 - stable) / np.maximum(stable_n, 1))


class GroupSequential(Cumulative):
    """Lan and DeMets' spending of Pocock's kind, eight looks, one a minute.

    Worse at 1 % over both metrics (half each), not worse by the budget at 5 %.
    """

    name = "group-sequential, Pocock spending, 8 looks"

    def __init__(self, rollouts: int, interval_s: float) -> None:
        """Compute both boundaries."""
        super().__init__(rollouts, interval_s)
        self._worse = boundary(ALPHA / len(BUDGETS), LOOKS)
        self._fine = boundary(BETA, LOOKS)

    def judge(self, now_s: float) -> None:
        """One look a minute, eight in all."""
        look = round(now_s / MINUTE_S) - 2
        if now_s % MINUTE_S or look >= LOOKS:
            return
        found, error = self.difference()
        self.roll_back((found / error >= self._worse[look]).any(axis=-1), now_s)
        fine = (BUDGETS - found) / error >= self._fine[look]
        self.promote(fine.all(axis=-1), now_s)


def boundary(level: float, looks: int) -> Array:
    """Critical values at equally spaced looks, by recursive integration.

    Spent by look k: level * ln(1 + (e - 1) k / looks). The score is a random walk with
    steps of variance 1; its density below the boundary is kept on a grid.
    """
    found, spent = [], 0.0
    density = np.zeros(0)
    at = np.zeros(0)
    for look in range(1, looks + 1):
        allowed = level * math.log(1 + (math.e - 1) * look / looks)
        scores = GRID * math.sqrt(look)
        if look == 1:
            density = np.exp(-(scores**2) / 2) / math.sqrt(2 * math.pi)
        else:
            density = _after_one_step(at, density, scores)
        width = scores[1] - scores[0]
        above = np.cumsum(density[::-1])[::-1] * width
        first = int(np.argmax(above <= allowed - spent))
        found.append(GRID[first])
        spent += float(above[first])
        at, density = scores[:first:10], density[:first:10]
    return np.array(found)


def _after_one_step(at: Array, density: Array, scores: Array) -> Array:
    width = at[1] - at[0]
    steps = np.exp(-(np.subtract.outer(scores, at) ** 2) / 2) / math.sqrt(2 * math.pi)
    found: Array = steps @ density * width
    return found


class AlwaysValid(Cumulative):
    """The rule of `rolloutwatch`: an always-valid interval of two pass rates.

    Its page on PyPI describes it: 95 % whenever it is looked at, worse where the whole
    interval is, clear where all of it is within the margin. The package could not be
    had here, so the interval is the one that this usually means, a mixture over normal
    alternatives (mSPRT: Johari, Pekelis, Walsh, "Always valid inference", eq. 4), whose
    width is tuned to the margin. One test a metric, each at 95 %.
    """

    name = "rolloutwatch's rule, 95 %, each metric"

    def judge(self, now_s: float) -> None:
        """At each look."""
        found, error = self.difference()
        half = always_valid(error, BUDGETS)
        self.roll_back(np.asarray((found - half > 0).any(axis=-1)), now_s)
        self.promote(np.asarray((found + half < BUDGETS).all(axis=-1)), now_s)


def always_valid(error: Array, tau: npt.ArrayLike) -> Array:
    """Half the width of the interval for a standard error."""
    variance, mixed = error**2, np.square(tau)
    ratio = (variance + mixed) / variance
    found: Array = np.sqrt(
        variance * (variance + mixed) / mixed * np.log(ratio / LEVEL**2)
    )
    return found
