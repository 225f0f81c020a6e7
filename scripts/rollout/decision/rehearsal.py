"""Rollouts of a canary that is the stable itself, from the stable's own past. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

from scripts.rollout.decision import dependence, measurement
from scripts.rollout.decision.machine import Machine
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.observation import Delta, Observation, Row, View
from scripts.rollout.state.state import FULL, Phase, State

CANARY, STABLE = "canary", "stable"
# Tunable: looks of one rollout, two hours of the default interval; what is undecided
# then counts as not passed.
MOST_LOOKS = 720


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """How many rollouts there were, how many were rolled back, and when others passed.

    `passed`: seconds to the last gate, in order.
    """

    rollouts: int
    rolled_back: int
    passed: tuple[float, ...]

    @property
    def median_s(self) -> float | None:
        """Return the median seconds to the last gate, None if half never passed."""
        middle = self.rollouts // 2
        return self.passed[middle] if middle < len(self.passed) else None

    def chance(self, alpha: float) -> float:
        """Return the chance of as many rollbacks, or more, if each has `alpha`."""
        n = self.rollouts
        fewer = range(self.rolled_back)
        return 1 - sum(comb(n, k) * alpha**k * (1 - alpha) ** (n - k) for k in fewer)


def rehearse(
    policy: Policy, known: Sequence[Delta], rollouts: int, *, shares_trouble: bool
) -> Rehearsal:
    """Run A/A rollouts on blocks of the stable's scrapes, each split by the weight.

    `shares_trouble`: both arms are parts of the same scrape. Otherwise each arm has
    seconds of its own, so that all trouble is taken to be one arm's alone.
    """
    machine, random = Machine(policy), np.random.default_rng(1)
    name = policy.metrics[0].name
    n = sum(delta.row(name)[3] for delta in known)
    rps = n / max(len(known) * policy.interval_s, 1.0)
    first = at_first_step(machine, known, rps, 0.0)
    ends = [
        _walk(
            machine, first, _starts(random, len(known), shares_trouble), known, random
        )
        for _ in range(rollouts)
    ]
    passed = sorted(each.now for each in ends if each.phase is Phase.BAKE)
    back = sum(each.phase is Phase.ROLLING_BACK for each in ends)
    return Rehearsal(rollouts, back, tuple(passed))


def at_first_step(
    machine: Machine, known: Sequence[Delta], rps: float, now: float
) -> State:
    """Return the state in which the canary has just got the first step's weight."""
    policy = machine.rules.policy
    phi = dependence.phi_of(policy, known)
    expected = measurement.traffic(policy, known, phi[0], rps)
    looks = measurement.looks(policy, expected)
    design = machine.rules.design(looks.steps)
    return State(
        canary=CANARY,
        stable=STABLE,
        began=now,
        now=now,
        entered=now,
        heard=now,
        was_ready=now,
        phase=Phase.STEP,
        steps=looks.steps,
        weight=looks.steps[0],
        interval=looks.interval,
        is_verified=True,
        is_warm=True,
        judged=measurement.begin(policy, design, known, phi, now),
    )


def _starts(
    random: np.random.Generator, scrapes: int, shares_trouble: bool
) -> tuple[int, int]:
    canary, stable = (int(each) for each in random.integers(0, scrapes, 2))
    return (canary, canary) if shares_trouble else (canary, stable)


def _walk(
    machine: Machine,
    state: State,
    starts: tuple[int, int],
    known: Sequence[Delta],
    random: np.random.Generator,
) -> State:
    """Decide look by look until the last gate, or something else ends it."""
    seconds = machine.rules.policy.interval_s
    for number in range(MOST_LOOKS):
        if state.phase is not Phase.STEP:
            break
        pair = [known[(start + number) % len(known)] for start in starts]
        delta = Delta(dict(_split(random, pair, state.weight)), seconds=seconds)
        view = View.in_force(CANARY, STABLE, state.weight)
        seen = Observation(state.now + seconds, view, delta)
        state = machine.step(state, seen).state
    return state


def _split(
    random: np.random.Generator, pair: Sequence[Delta], weight: int
) -> Iterator[tuple[str, Row]]:
    """Yield each metric's outcomes as they fall on two arms by chance."""
    canary, stable = pair
    for name in stable.metrics:
        here = _part(random, canary.row(name), weight / FULL)
        if canary is stable:
            _, _, bad, n = stable.row(name)
            yield name, (*here, bad - here[0], n - here[1])
        else:
            yield name, (*here, *_part(random, stable.row(name), 1 - weight / FULL))


def _part(random: np.random.Generator, row: Row, share: float) -> tuple[float, float]:
    bad, n = round(row[2]), round(row[3])
    taken = int(random.binomial(n, share))
    return float(random.hypergeometric(bad, n - bad, taken)), float(taken)
