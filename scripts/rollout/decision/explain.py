"""Collects the numbers behind a decision, metric by metric. Pure."""

import math
from dataclasses import dataclass

import numpy as np

from scripts.rollout.decision.measurement import Rules
from scripts.rollout.evidence.evidence import Design
from scripts.rollout.evidence.two_sample import Bets, Counts, log_e
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.state import Judged, State


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm's requests, and how many of them had a bad outcome.

    `share` is the bad share over the scrapes that both arms have, each of the same size
    in both: so two arms' shares compare, which the totals of changing weights do not.
    """

    bad: float
    n: float
    share: float


@dataclass(frozen=True, slots=True)
class Row:
    """One metric: both arms, their difference, evidence both ways, phi.

    `rollback` is the metric's own e-value, `share` its weight in the sum that is
    compared with `rollback_needed`. `gate` is None where a metric opens no gate,
    `distance` where it is not about labels.
    """

    metric: str
    canary: Arm
    stable: Arm
    low: float
    high: float
    rollback: float
    rollback_needed: float
    share: float
    gate: float | None
    gate_needed: float
    margin: float
    phi: float
    phi_source: str
    distance: float | None


def rows(policy: Policy, design: Design, judged: Judged, step: int) -> list[Row]:
    """Return one row per metric, with the gate that leads from `step` to the next."""
    evidence = judged.evidence
    low, high = judged.interval.bounds(design.alpha)
    arms = np.stack([judged.interval.seen[::2], judged.interval.seen[1::2]], axis=1)
    arms = np.concatenate([arms, judged.interval.standardised[:, None]], axis=1)
    gates, margins = evidence.gates.value, design.margins
    against = evidence.against()
    return [
        Row(
            metric=metric.name,
            canary=Arm(*map(float, arms[0, :, i])),
            stable=Arm(*map(float, arms[1, :, i])),
            low=float(low[i]),
            high=float(high[i]),
            rollback=float(against[i]),
            rollback_needed=1 / design.alpha,
            share=float(design.weights[i]),
            gate=float(gates[i, step]) if metric.is_gate else None,
            gate_needed=float(design.needed[step]),
            margin=float(margins[i, step]),
            phi=float(judged.phi[i]),
            phi_source=judged.phi_source[i],
            distance=float(judged.labels.distance) if metric.drift else None,
        )
        for i, metric in enumerate(policy.metrics)
    ]


def numbers(row: Row) -> dict[str, float | None]:
    """Return a row's numbers for the journal; counts and policy give the rest."""
    return {
        "canaryBad": row.canary.bad,
        "canary": row.canary.n,
        "stableBad": row.stable.bad,
        "stable": row.stable.n,
        "canaryShare": row.canary.share,
        "stableShare": row.stable.share,
        "low": row.low,
        "high": row.high,
        "phi": row.phi,
        "rollback": row.rollback,
        "gate": row.gate,
    }


def still_needed(rules: Rules, state: State, row: Row) -> float:
    """Estimate the requests to both arms until a gate opens for a good canary.

    That is the rest of ln(1/beta) divided by the growth that one request is expected to
    bring, if the canary is as good as the stable. Infinite if the gate never opens.
    """
    judged, weight = state.judged, state.weight / 100
    pairs = rules.policy.pairs_rps(state.rps) * state.interval
    if judged is None or row.gate is None or not (weight or pairs) or weight == 1:
        return math.inf
    names = [metric.name for metric in rules.policy.metrics]
    i = names.index(row.metric)
    fine = judged.evidence.gates
    base = float(fine.stable_bad[i, state.step] / fine.stable_n[i, state.step])
    requests = max(state.rps * state.interval, 1.0)
    canary, stable = requests * weight + pairs, requests * (1 - weight) + pairs
    expected = Counts(
        *(np.full(1, each) for each in (canary * base, canary, stable * base, stable))
    )
    bets = fine.bets(rules.design(state.steps).margins)
    here = Bets(
        bets.sign,
        np.full(1, row.margin),
        bets.canary_rate[i, state.step][None],
        np.full(1, base),
    )
    growth = float(log_e(expected, here).max()) / row.phi
    rest = math.log(row.gate_needed) - math.log(max(row.gate, 1e-300))
    return rest / growth * requests if growth > 0 else math.inf
