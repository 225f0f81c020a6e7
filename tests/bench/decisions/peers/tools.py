"""The decision rules of other tools, at their defaults and in their order.

As read in Flagger 15bd6ad5, Argo Rollouts 9f8d111d8 and Kayenta a69573be. Every policy
has `weight` (R), and `promoted` and `rolled_back`, seconds or NaN.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tests.bench.decisions.world.rates import Array
from tests.bench.decisions.world.streams import Seen

Ints = npt.NDArray[np.int64]
Z95_ONE_SIDED = 1.6448536
Z98_TWO_SIDED = 2.3263479
STEPS = (5, 10, 25, 50)
STEP_S = 120.0
MINUTE_S = 60.0
INTERVAL_S = 10.0  # a look of theirs


class Peer:
    """What all of them keep: weights, the last minute's counts, how they ended."""

    name = ""
    steps: Sequence[int] = STEPS

    def __init__(self, rollouts: int, interval_s: float) -> None:
        """Start at the first step."""
        self.rollouts = rollouts
        self.interval_s = interval_s
        self.step = np.zeros(rollouts, dtype=np.int64)
        self.promoted = np.full(rollouts, np.nan)
        self.rolled_back = np.full(rollouts, np.nan)
        self.minute: list[Seen] = []

    @property
    def is_on(self) -> npt.NDArray[np.bool_]:
        """Which rollouts are not decided yet."""
        return np.asarray(np.isnan(self.promoted) & np.isnan(self.rolled_back))

    @property
    def weight(self) -> Ints:
        """Percent of the canary."""
        steps = np.array([*self.steps, 100])
        now = np.where(np.isnan(self.rolled_back), steps[self.step], 0)
        return np.where(np.isnan(self.promoted), now, 100)

    def see(self, seen: Seen, now_s: float) -> None:
        """Look at one scrape."""
        self.minute = [*self.minute, seen][-round(MINUTE_S / self.interval_s) :]
        if now_s % MINUTE_S == 0:
            self.check(now_s)

    def check(self, now_s: float) -> None:
        """What a policy does every minute."""
        raise NotImplementedError

    def is_healthy(self, limit_ms: int) -> npt.NDArray[np.bool_]:
        """Success >= 99 % and p99 below a limit in the canary's last minute.

        No requests are not healthy: no value, or NaN, fails a check in both tools.
        """
        n = sum(seen.canary_n for seen in self.minute)
        bad = sum(seen.users[0] for seen in self.minute)
        slow = sum(seen.over(limit_ms) for seen in self.minute)
        healthy: npt.NDArray[np.bool_] = (
            (n > 0) & (bad <= 0.01 * n) & (slow <= 0.01 * n)
        )
        return healthy

    def roll_back(self, rows: npt.NDArray[np.bool_], now_s: float) -> None:
        """End these, where they are not decided."""
        self.rolled_back = np.where(self.is_on & rows, now_s, self.rolled_back)

    def promote(self, rows: npt.NDArray[np.bool_], now_s: float) -> None:
        """End these, where they are not decided."""
        self.promoted = np.where(self.is_on & rows, now_s, self.promoted)


class Flagger(Peer):
    """stepWeight 10 to 50 every minute; failed checks are never forgotten.

    The rollback comes on the check after the last failure that is allowed.
    """

    steps = (10, 20, 30, 40, 50)
    threshold = 5

    def __init__(self, rollouts: int, interval_s: float, limit_ms: int) -> None:
        """Fail above a p99 of `limit_ms`."""
        super().__init__(rollouts, interval_s)
        self.name = f"Flagger, threshold 5, p99 < {limit_ms} ms"
        self._limit_ms = limit_ms
        self._failed = np.zeros(rollouts, dtype=np.int64)

    def check(self, now_s: float) -> None:
        """Roll back, else check, else rise."""
        self.roll_back(self._failed >= self.threshold, now_s)
        healthy = self.is_healthy(self._limit_ms)
        self._failed += self.is_on & ~healthy
        rises = self.is_on & healthy
        self.promote(rises & (self.step == len(self.steps)), now_s)
        self.step = np.minimum(self.step + (rises & self.is_on), len(self.steps))


class Timed(Peer):
    """A policy whose steps last two minutes whatever it sees."""

    def rise(self, now_s: float) -> None:
        """Go on where nothing was found."""
        if now_s % STEP_S == 0:
            at_last = self.step == len(self.steps) - 1
            self.promote(at_last, now_s)
            self.step = np.where(self.is_on, self.step + 1, self.step)


class Argo(Timed):
    """A background analysis every minute: failed once more than `failureLimit`."""

    def __init__(self, rollouts: int, interval_s: float, failure_limit: int) -> None:
        """Allow `failure_limit` failed measurements."""
        super().__init__(rollouts, interval_s)
        self.name = f"Argo Rollouts, failureLimit {failure_limit}"
        self._limit = failure_limit
        self._failed = np.zeros(rollouts, dtype=np.int64)

    def check(self, now_s: float) -> None:
        """Count failures, abort above the limit."""
        self._failed += ~self.is_healthy(300)
        self.roll_back(self._failed > self._limit, now_s)
        self.rise(now_s)


class ZTest(Timed):
    """Pooled two-sample z on all requests so far, at 5 % for each of two metrics."""

    def __init__(self, rollouts: int, interval_s: float, every_s: float) -> None:
        """Look every `every_s` seconds."""
        super().__init__(rollouts, interval_s)
        self.name = f"z-test 5 %, looked at every {every_s:.0f} s"
        self._every_s = every_s
        self._sums = np.zeros((4, rollouts, 2))

    def see(self, seen: Seen, now_s: float) -> None:
        """Add up, and test."""
        self._sums += seen.counts()
        if now_s % self._every_s == 0:
            canary_bad, canary_n, stable_bad, stable_n = self._sums
            pooled = (canary_bad + stable_bad) / np.maximum(canary_n + stable_n, 1)
            spread = 1 / np.maximum(canary_n, 1) + 1 / np.maximum(stable_n, 1)
            error = np.sqrt(np.maximum(pooled * (1 - pooled) * spread, 1e-18))
            rates = canary_bad / np.maximum(canary_n, 1)
            difference = rates - stable_bad / np.maximum(stable_n, 1)
            has_data = (canary_n > 0) & (stable_n > 0)
            worse = has_data & (difference / error > Z95_ONE_SIDED)
            self.roll_back(np.asarray(worse.any(axis=-1)), now_s)
        self.rise(now_s)


class Kayenta(Timed):
    """Mann-Whitney on ten-second points, judged after each step on all so far.

    High where the 98 % interval of the Hodges-Lehmann shift lies above a quarter of
    the shift itself and the mean rose. One High of two metrics scores 50: below 75.
    """

    name = "Kayenta, Mann-Whitney 98 %, 75/95"

    def __init__(self, rollouts: int, interval_s: float) -> None:
        """Keep every point."""
        super().__init__(rollouts, interval_s)
        self._points: list[tuple[Array, Array]] = []

    def see(self, seen: Seen, now_s: float) -> None:
        """Keep both arms' bad shares; judge at the end of a step."""
        with np.errstate(invalid="ignore", divide="ignore"):
            canary_bad, canary_n, stable_bad, stable_n = seen.counts()
            canary, stable = canary_bad / canary_n, stable_bad / stable_n
        if self.is_on.any():
            self._points.append((canary, stable))
            if now_s % STEP_S == 0:
                canary, stable = (
                    np.stack(each) for each in zip(*self._points, strict=True)
                )
                high = [
                    row
                    and any(_is_high(canary[:, i, m], stable[:, i, m]) for m in (0, 1))
                    for i, row in enumerate(self.is_on)
                ]
                self.roll_back(np.array(high), now_s)
        self.rise(now_s)


def _is_high(canary: Array, stable: Array) -> bool:
    """Whether one metric of one rollout is classified High; NaN points are dropped."""
    canary, stable = canary[~np.isnan(canary)], stable[~np.isnan(stable)]
    m, n = len(canary), len(stable)
    if not m or not n or canary.mean() < stable.mean():
        return False
    shifts = np.sort(np.subtract.outer(canary, stable).ravel())
    _, ties = np.unique(np.concatenate([canary, stable]), return_counts=True)
    correction = float((ties**3 - ties).sum()) / ((m + n) * (m + n - 1))
    sigma = np.sqrt(m * n / 12 * max(m + n + 1 - correction, 0.0))
    lowest = int(np.floor(m * n / 2 - Z98_TWO_SIDED * sigma))
    low = shifts[min(max(lowest, 0), m * n - 1)]
    return bool(low > 0.25 * abs(np.median(shifts)))
