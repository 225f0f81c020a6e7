"""What a policy reads of its requests: at each look, or when a Prometheus scraped them.

Ours compares what the product's windows let it compare; the others take what they get.
Windows see counters that count time, so that those of one path of weights are the same
in all rollouts that took it and whose pods are scraped at the same times.
"""

from collections.abc import Iterator

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
COLUMNS = {"canary": [0, 1, 2, 6, 7, 8], "stable": [3, 4, 5]}
COUNTED = 6  # columns of requests and bad ones; the others are shared out evenly
RATE = 100.0  # of a counter that counts time
Pod = tuple[str, int]
Times = dict[Pod, float]
Span = tuple[Pod, float, float]


class Readings:
    """Requests since a policy's last look; `policy` is one that compares windows."""

    def __init__(
        self, read: Read, rollouts: int, tick_s: float, policy: Policy | None
    ) -> None:
        """Nothing counted yet."""
        self._read, self._tick_s, self._policy = read, tick_s, policy
        self._random = np.random.default_rng(1)
        self._sum: Seen | None = None
        self._past = [np.zeros((max(read.pods), 9, rollouts))]
        self._weight = np.zeros(rollouts, dtype=np.int64)
        offsets = [self._offsets() for _ in range(max(read.patterns, 1))]
        self._path = np.arange(rollouts) % len(offsets)
        self._paths = [(self._bases(each), 0.0, each) for each in offsets]
        self._last = [self._sampled(each, 0.0) for each in offsets]
        self._pattern = self._path.copy()

    def _offsets(self) -> Times:
        """When each pod is scraped first: by lot where there are patterns."""
        read = self._read
        pods = [
            (arm, pod)
            for arm, number in zip(ARMS, read.pods, strict=True)
            for pod in range(number)
        ]
        if not read.patterns:
            return {pod: -read.apart_s * (pod[0] == "canary") for pod in pods}
        steps = round(read.every_s / self._tick_s)
        return {pod: self._tick_s * self._random.integers(steps) for pod in pods}

    def _bases(self, offsets: Times) -> Bases:
        return windows.from_one(self._counters(offsets, 0.0), 0.0)

    def add(self, seen: Seen, weight: npt.NDArray[np.int64]) -> None:
        """Requests of one tick, at these weights (R)."""
        if self._read == AT_ONCE:
            self._sum = seen if self._sum is None else self._sum + seen
            return
        changed = weight != self._weight
        pairs = np.stack([self._path, weight])
        now_s = (len(self._past) - 1) * self._tick_s
        for path, to in np.unique(pairs[:, changed], axis=1).T:
            bases, _, offsets = self._paths[path]
            self._paths.append((bases, now_s, offsets))
            here = changed & (pairs[0] == path) & (weight == to)
            self._path[here] = len(self._paths) - 1
        self._weight = weight.copy()
        self._past.append(self._past[-1] + self._shared(seen.users, now_s))

    def _shared(self, users: Array, now_s: float) -> Array:
        """One tick's requests by pod (pods, 9, R): each goes to a pod by lot."""
        found = np.zeros_like(self._past[0])
        for arm, number in zip(ARMS, self._read.pods, strict=True):
            here = number - (arm == "stable" and 0 < self._read.lost <= now_s)
            for column in COLUMNS[arm]:
                if column < COUNTED and here > 1:
                    n = users[column].astype(np.int64)
                    drawn = self._random.multinomial(n, np.full(here, 1 / here))
                    found[:here, column] = drawn.T
                else:
                    found[:here, column] = users[column] / here
        return found

    def take(self, now_s: float, on: npt.NDArray[np.bool_]) -> Seen:
        """What is read at a look, of those rollouts that are `on`."""
        if self._read == AT_ONCE:
            assert self._sum is not None
            found, self._sum = self._sum, None
            return found
        users = np.zeros(self._past[0].shape[1:])
        if self._policy is None:
            for pattern, last in enumerate(self._last):
                now = self._sampled(self._paths[pattern][2], now_s)
                spans = [(p, self._since(p, last[p], now[p]), now[p]) for p in now]
                self._put(users, self._pattern == pattern, spans)
                self._last[pattern] = {**last, **now}
            return Seen(users, {})
        for path in np.unique(self._path[on]).tolist():
            self._put(users, self._path == path, self._compared(path, now_s))
        return Seen(users, {})

    def _compared(self, path: int, now_s: float) -> Iterator[Span]:
        """The seconds of each pod that the product compares now."""
        before, weighed, offsets = self._paths[path]
        look = Look(self._counters(offsets, now_s), now_s, ARMS, weighed)
        assert self._policy is not None
        delta, after = windows.compared(self._policy, before, look)
        self._paths[path] = (after, weighed, offsets)
        if delta.is_carried:
            return
        old, new = (each[TRAFFIC].reading for each in (before, after))
        for arm, pod in offsets:
            first, last = (each[arm].get(f"{pod}") for each in (old, new))
            if first and last:
                begin, end = first[READ_AT], last[READ_AT]
                yield (arm, pod), self._since((arm, pod), begin, end), end

    def _since(self, pod: Pod, begin: float, end: float) -> float:
        """What was counted before a restart, and was not read, is lost."""
        restart = self._read.restart if pod[0] == "canary" else 0.0
        return restart if begin < restart <= end else begin

    def _put(
        self,
        users: Array,
        rows: npt.NDArray[np.bool_],
        spans: Iterator[Span] | list[Span],
    ) -> None:
        for (arm, pod), begin, end in spans:
            first, last = (
                self._past[round(t / self._tick_s)][pod] for t in (begin, end)
            )
            for column in COLUMNS[arm]:
                users[column, rows] += (last - first)[column, rows]

    def _sampled(self, offsets: Times, now_s: float) -> Times:
        """When the newest sample of each pod was taken, of those that are there."""
        read = self._read
        since, until = read.gap
        found = {}
        for pod, offset in offsets.items():
            is_canary, is_lost = (
                pod[0] == "canary",
                pod[1] > 0 and pod[1] == read.pods[1] - 1,
            )
            if not is_canary and is_lost and 0 < read.lost < now_s:
                continue
            at = since if is_canary and since <= now_s < until else now_s
            if read.every_s:
                at = (now_s - offset) // read.every_s * read.every_s
            found[pod] = max(at + offset, 0.0)
        return found

    def _counters(self, offsets: Times, now_s: float) -> Reading:
        since, until = self._read.gap
        is_silent = since < now_s < until
        found: dict[str, dict[str, dict[str, float]]] = {arm: {} for arm in ARMS}
        for (arm, pod), at in self._sampled(offsets, now_s).items():
            if arm == "canary" and is_silent:
                continue
            restart = self._read.restart if arm == "canary" else 0.0
            is_fresh = 0 < restart <= at
            counted = RATE * (at - restart if is_fresh else at + 1)
            found[arm][f"{pod}"] = {
                REQUESTS: counted,
                ERRORS: 0.0,
                TIMED: counted,
                f"{UP_TO}0.25": counted,
                READ_AT: at,
                STARTED: restart if is_fresh else -1e9,
            }
        return {arm: pods for arm, pods in found.items() if pods}
