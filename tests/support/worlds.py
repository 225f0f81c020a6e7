"""Views and counts for tests of what is pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from scripts.rollout.decision.machine import Machine, begin
from scripts.rollout.evidence.evidence import Design, Evidence
from scripts.rollout.evidence.two_sample import Counts
from scripts.rollout.policy.policy import Policy
from scripts.rollout.policy.reader import parse
from scripts.rollout.state.actions import Request, SetPercent, Warmed, WarmUp
from scripts.rollout.state.observation import Delta, Observation, View
from scripts.rollout.state.state import Decision, Phase, State

STABLE, CANARY = "r-00001", "r-00002"
ERRORS = "{name: errors, budget: 2%, weight: 3}"
LATENCY = "{name: latency, slo: 250ms, budget: 2%}"
LABELS = "{name: labels, drift: predicted_label, tolerance: 5%}"
POLICY = f"""
target: {{inferenceservice: intent}}
steps: [5, 25, 50]
dwell: 20s
bake: {{duration: 30s}}
dependence: {{clusterSize: 1}}
warmup: 3
metrics: [{ERRORS}, {LATENCY}, {LABELS}]
deadlines: {{step: 10m, rollout: 2h, metricsSilence: 1m, rollback: 1m}}
"""


def policy(**changes: str) -> Policy:
    """POLICY with other lines for some of its keys."""
    lines = [line for line in POLICY.splitlines() if line.split(":")[0] not in changes]
    lines += [f"{key}: {value}" for key, value in changes.items()]
    return parse("\n".join(lines), "test")


def view(percent: int | None = 0, **changes: object) -> View:
    """The canary is ready and has what was asked for."""
    found = View.in_force(CANARY, STABLE, percent)
    return replace(found, **changes)  # type: ignore[arg-type]


def delta(weight: int, n: int = 3000, bad: float = 0.0, slow: float = 0.0) -> Delta:
    """A scrape of `n` requests; the stable is faultless, the canary as told."""
    canary = n * weight // 100
    stable = n - canary
    return Delta(
        {
            "errors": (round(canary * bad), canary, 0, stable),
            "latency": (round(canary * slow), canary, 0, stable),
        },
        {"hello": (canary // 2, stable // 2), "bye": (canary // 2, stable // 2)},
    )


def design(
    tolerance: float = 0.0,
    budget: float = 0.01,
    steps: tuple[int, ...] = (50,),
    *,
    stands: bool = False,
) -> Design:
    """One metric, and a gate for each step."""
    return Design(
        alpha=0.01,
        beta=0.05,
        bad_raise=0.25,
        weights=np.array([0.5, 0.5]),
        tolerance=np.array([tolerance]),
        budget=np.array([budget]),
        gated=np.array([True]),
        limit=np.array([np.nan]),
        steps=np.array(steps, dtype=float),
        carry_from=0.0,
        ceiling=0.2,
        stands=stands,
    )


def evidence(
    chosen: Design,
    scrapes: Sequence[Sequence[float]],
    *,
    phi: float = 1.0,
    known: tuple[float, float] = (0.5, 50.0),
    every: int = 6,
) -> list[Evidence]:
    """After each scrape (canary bad, n, stable bad, n); an epoch is `every` of them."""
    counts = Counts(*np.array(scrapes, dtype=float).T[..., None])
    begun = Evidence.begin(chosen, *(np.array([each]) for each in known))
    new = [number % every == every - 1 for number in range(len(scrapes))]
    return begun.update(chosen, counts, np.array([phi]), np.array(50.0), new)


@dataclass
class Rollout:
    """A machine, and a world that does at once what it asks for."""

    policy: Policy
    state: State
    machine: Machine
    percent: int | None = 0
    warmed: Warmed | None = None

    @classmethod
    def begun(cls, chosen: Policy | None = None) -> "Rollout":
        """Just begun."""
        chosen = chosen or policy()
        return cls(chosen, begin(chosen, view(), 0.0), Machine(chosen))

    def look(
        self,
        *requests: str,
        seconds: float = 10,
        bad: float = 0.0,
        n: int = 3000,
        **changes: object,
    ) -> Decision:
        """One scrape later; `changes` are to what is seen."""
        share = 100 if self.percent is None else self.percent
        seen = Observation(
            time=self.state.now + seconds,
            view=view(self.percent),
            delta=delta(share, n, bad),
            requests=tuple(map(Request, requests)),
            warmed=self.warmed,
        )
        seen = replace(seen, **changes)  # type: ignore[arg-type]
        decision = self.machine.step(self.state, seen)
        self.state, self.warmed = decision.state, None
        for action in decision.actions:
            match action:
                case SetPercent(percent):
                    self.percent = percent
                case WarmUp(requests=count):
                    self.warmed = Warmed(count, 0)
        return decision

    def until(self, phase: Phase, weight: int | None = None, looks: int = 200) -> None:
        """Look until a phase is reached, at a weight if one is given."""
        for _ in range(looks):
            if self.state.phase is phase and weight in (None, self.state.weight):
                return
            self.look()
        raise AssertionError(f"{phase} was not reached: {self.state}")
