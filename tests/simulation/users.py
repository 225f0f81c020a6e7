"""Users' requests: split as routed, failed as a revision fails, counted by pods."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

RPS = 2000.0
SLOW = 0.01  # of all requests, in both arms, take more than the objective
PAST = (50_000, 500, 500)  # counted, bad and slow before the first promoter


@dataclass
class Counted:
    """What one process has counted since its start."""

    n: int = 0
    bad: int = 0
    slow: int = 0

    def add(self, n: int, bad: int, slow: int) -> None:
        """Count more."""
        self.n += n
        self.bad += bad
        self.slow += slow


@dataclass
class Pod:
    """One pod: a predictor with its queue-proxy, or a gateway."""

    name: str
    revision: str
    started: float
    restarts: int = 0
    is_ready: bool = True
    counted: dict[str, Counted] = field(default_factory=dict)

    def of(self, revision: str) -> Counted:
        """Return what was counted of a revision."""
        return self.counted.setdefault(revision, Counted())

    def restart(self, now: float) -> None:
        """Begin all counters anew."""
        self.counted.clear()
        self.started = now
        self.restarts += 1


class Users:
    """Requests at a steady rate, and which pods have counted them."""

    def __init__(self, random: np.random.Generator) -> None:
        """Send none before `advance`."""
        self._random = random
        self._now = 0.0
        self.routed: Mapping[str, int] = {}
        self.fails: dict[str, float] = {}
        self.served: dict[str, Counted] = {}
        self.pods: dict[str, Pod] = {}
        self.gateways = {f"gateway-{i}": Pod(f"gateway-{i}", "", 0.0) for i in range(2)}

    def add_pods(self, revision: str, number: int, now: float) -> None:
        """Start pods of a revision."""
        for _ in range(number):
            name = f"{revision}-{len(self.pods)}"
            self.pods[name] = Pod(name, revision, now)

    def of(self, revision: str) -> list[Pod]:
        """Return a revision's ready pods."""
        return [
            pod
            for pod in self.pods.values()
            if pod.revision == revision and pod.is_ready
        ]

    def remember(self) -> None:
        """Give all that count a past, which no promoter may count."""
        for revision in (name for name, percent in self.routed.items() if percent):
            for pod in (*self.gateways.values(), *self.of(revision)):
                pod.of(revision).add(*PAST)

    def advance(self, now: float) -> None:
        """Send what comes until now."""
        seconds, self._now = now - self._now, max(now, self._now)
        total = self._random.poisson(RPS * seconds) if seconds > 0 else 0
        for revision, percent in self.routed.items():
            n = int(self._random.binomial(total, percent / 100)) if total else 0
            if n:
                self._serve(revision, n)

    def _serve(self, revision: str, n: int) -> None:
        draw = self._random.binomial
        bad = int(draw(n, self.fails[revision]))
        slow = int(draw(n, SLOW))
        self.served.setdefault(revision, Counted()).add(n, bad, slow)
        for pods in (list(self.gateways.values()), self.of(revision)):
            left, bads, slows = n, bad, slow
            for number in range(len(pods), 0, -1):
                part, part_bad, part_slow = (
                    left // number,
                    bads // number,
                    slows // number,
                )
                pods[number - 1].of(revision).add(part, part_bad, part_slow)
                left, bads, slows = left - part, bads - part_bad, slows - part_slow
