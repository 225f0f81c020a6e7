"""What a policy reads of its requests: at each look, or when a Prometheus scraped them.

Ours compares what the product's windows let it compare; the others take what they get.
An arm is one pod. Windows see counters that count time, so that those of one path of
weights are the same in all rollouts that took it.
"""

import numpy as np
import numpy.typing as npt

from scripts.rollout.metrics.port import (
    ERRORS,
    READ_AT,
    REQUESTS,
    STARTED,
    TIMED,
    UP_TO,
    Reading,
)
from scripts.rollout.metrics.windows import windows
from scripts.rollout.metrics.windows.windows import TRAFFIC, Bases, Look
from scripts.rollout.policy.policy import Policy
from tests.bench.decisions.world.cells import Read
from tests.bench.decisions.world.rates import Array
from tests.bench.decisions.world.streams import Seen

AT_ONCE = Read()
ARMS = ("canary", "stable")
POD = "pod"
RATE = 100.0  # of a counter that counts time
CANARY, STABLE = [0, 1, 2, 6, 7, 8], [3, 4, 5]
Span = tuple[tuple[float, float], tuple[float, float]]
NOTHING: Span = ((0.0, 0.0), (0.0, 0.0))


class Readings:
    """Requests since a policy's last look; `policy` is one that compares windows."""

    def __init__(
        self, read: Read, rollouts: int, tick_s: float, policy: Policy | None
    ) -> None:
        """Nothing counted yet."""
        self._read, self._tick_s, self._policy = read, tick_s, policy
        self._sum: Seen | None = None
        self._past = [np.zeros((9, rollouts))]
        self._weight = np.zeros(rollouts, dtype=np.int64)
        self._path = np.zeros(rollouts, dtype=np.int64)
        self._paths: list[tuple[Bases, float]] = [(self._bases(), 0.0)]
        self._last = self._sampled(0.0)

    def _bases(self) -> Bases:
        return windows.from_one(self._counters(0.0), 0.0)

    def add(self, seen: Seen, weight: npt.NDArray[np.int64]) -> None:
        """Requests of one tick, at these weights (R)."""
        if self._read == AT_ONCE:
            self._sum = seen if self._sum is None else self._sum + seen
            return
        changed = weight != self._weight
        pairs = np.stack([self._path, weight])
        for path, to in np.unique(pairs[:, changed], axis=1).T:
            now_s = (len(self._past) - 1) * self._tick_s
            self._paths.append((self._paths[path][0], now_s))
            here = changed & (pairs[0] == path) & (weight == to)
            self._path[here] = len(self._paths) - 1
        self._weight = weight.copy()
        self._past.append(self._past[-1] + seen.users)

    def take(self, now_s: float, on: npt.NDArray[np.bool_]) -> Seen:
        """What is read at a look, of those rollouts that are `on`."""
        if self._read == AT_ONCE:
            assert self._sum is not None
            found, self._sum = self._sum, None
            return found
        users = np.zeros_like(self._past[0])
        if self._policy is None:
            now = self._sampled(now_s)
            canary, stable = zip(self._last, now, strict=True)
            self._last = now
            spans = ((self._since(*canary), canary[1]), stable)
            self._put(users, np.ones_like(on), spans)
            return Seen(users, {})
        for path in np.unique(self._path[on]).tolist():
            self._put(users, self._path == path, self._compared(path, now_s))
        return Seen(users, {})

    def _compared(self, path: int, now_s: float) -> Span:
        """The seconds of both arms that the product compares now."""
        before, weighed = self._paths[path]
        look = Look(self._counters(now_s), now_s, ARMS, weighed)
        assert self._policy is not None
        delta, after = windows.compared(self._policy, before, look)
        self._paths[path] = (after, weighed)
        if delta.is_carried:
            return NOTHING
        old, new = (each[TRAFFIC].reading for each in (before, after))
        (c0, s0), (c1, s1) = (
            (each["canary"][POD][READ_AT], each["stable"][POD][READ_AT])
            for each in (old, new)
        )
        return (self._since(c0, c1), c1), (s0, s1)

    def _since(self, begin: float, end: float) -> float:
        """What was counted before a restart, and was not read, is lost."""
        restart = self._read.restart
        return restart if begin < restart <= end else begin

    def _put(self, users: Array, rows: npt.NDArray[np.bool_], spans: Span) -> None:
        for columns, (begin, end) in zip((CANARY, STABLE), spans, strict=True):
            first, last = (self._past[round(t / self._tick_s)] for t in (begin, end))
            for column in columns:
                users[column, rows] = (last - first)[column, rows]

    def _sampled(self, now_s: float) -> tuple[float, float]:
        """When the newest samples of canary and stable were taken."""
        read = self._read
        if read.every_s:
            canary = (now_s + read.apart_s) // read.every_s * read.every_s
            stable = now_s // read.every_s * read.every_s
            return max(canary - read.apart_s, 0.0), stable
        since, until = read.gap
        canary = since if since <= now_s < until else now_s
        return max(canary - read.apart_s, 0.0), now_s

    def _counters(self, now_s: float) -> Reading:
        since, until = self._read.gap
        is_silent = since < now_s < until
        found: dict[str, dict[str, dict[str, float]]] = {}
        for arm, at in zip(ARMS, self._sampled(now_s), strict=True):
            if arm == "canary" and is_silent:
                continue
            restart = self._read.restart if arm == "canary" else 0.0
            is_fresh = 0 < restart <= at
            counted = RATE * (at - restart if is_fresh else at + 1)
            found[arm] = {
                POD: {
                    REQUESTS: counted,
                    ERRORS: 0.0,
                    TIMED: counted,
                    f"{UP_TO}0.25": counted,
                    READ_AT: at,
                    STARTED: restart if is_fresh else -1e9,
                }
            }
        return found
