"""Collects the numbers behind a decision, metric by metric. Pure."""

import math
from dataclasses import dataclass

from scripts.rollout.decision.measurement import Rules
from scripts.rollout.evidence.evidence import Design, Evidence
from scripts.rollout.evidence.forecast import ladder
from scripts.rollout.evidence.forecast.ladder import Traffic
from scripts.rollout.evidence.interval import Interval
from scripts.rollout.policy.metric import Metric
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.state import FULL, Judged, State

# A unit: what numbers are kept above, so that their logarithm is finite.
TINY = 1e-300


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
class Pairs:
    """Both arms' answers to the same requests, and whether the gate counts them.

    `against` is the e-value for a rollback with pairs, `users` without.
    """

    canary: Arm
    stable: Arm
    counted: bool
    against: float
    users: float


@dataclass(frozen=True, slots=True)
class Row:
    """One metric: both arms, their difference, evidence both ways, phi.

    `rollback` is the metric's own e-value, `share` its weight in the sum that is
    compared with `rollback_needed`. `gate` is None where a metric opens no gate,
    `distance` where it is not about labels, `pairs` where none were asked. The arms
    are users' requests, but pairs where a metric is about pairs alone.
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
    pairs: Pairs | None


def rows(policy: Policy, design: Design, judged: Judged, step: int) -> list[Row]:
    """Return one row per metric, with the gate that leads from `step` to the next."""
    evidence = judged.evidence
    interval = judged.interval
    low, high = interval.bounds(design.alpha)
    gates, margins = evidence.for_gates(design), design.margins
    against = evidence.against()
    pairs = _pairs(design, evidence, step)
    arms = [
        _arms(metric, interval, i, pairs[i]) for i, metric in enumerate(policy.metrics)
    ]
    return [
        Row(
            metric=metric.name,
            canary=arms[i][0],
            stable=arms[i][1],
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
            pairs=pairs[i],
        )
        for i, metric in enumerate(policy.metrics)
    ]


def _pairs(design: Design, evidence: Evidence, step: int) -> list[Pairs | None]:
    found = evidence.pairs
    if found is None:
        return [None] * len(evidence.worse.value)
    seen = found.seen
    canary, stable = seen.only_canary + seen.both, seen.only_stable + seen.both
    counted = design.stands or step < len(design.steps) - 1
    return [
        Pairs(
            Arm(float(canary[i]), float(n), float(canary[i] / n)),
            Arm(float(stable[i]), float(n), float(stable[i] / n)),
            counted,
            float(found.value[i]),
            float(evidence.worse.value[i]),
        )
        if n
        else None
        for i, n in enumerate(seen.n)
    ]


def _arms(
    metric: Metric, interval: Interval, i: int, pairs: Pairs | None
) -> tuple[Arm, Arm]:
    if metric.limit is not None and pairs is not None:
        return pairs.canary, pairs.stable
    seen, shares = interval.seen[:, i], interval.standardised[:, i]
    return (
        Arm(float(seen[0]), float(seen[1]), float(shares[0])),
        Arm(float(seen[2]), float(seen[3]), float(shares[1])),
    )


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
        **({} if row.pairs is None else _numbers_of_pairs(row.pairs)),
    }


def _numbers_of_pairs(pairs: Pairs) -> dict[str, float | None]:
    return {
        "pairs": pairs.canary.n,
        "pairsCanaryBad": pairs.canary.bad,
        "pairsStableBad": pairs.stable.bad,
        "rollbackByUsers": pairs.users,
    }


def still_needed(rules: Rules, state: State, row: Row) -> float:
    """Estimate the users' requests until a gate opens for a good canary.

    That is the rest of what opens it, divided by the growth that one look is expected
    to bring if the canary is as good as the stable. Infinite if the gate never opens.
    """
    policy, judged, design = rules.policy, state.judged, rules.design(state.steps)
    if judged is None or row.gate is None or state.weight == FULL:
        return math.inf
    i = [metric.name for metric in policy.metrics].index(row.metric)
    before, stable = judged.evidence, judged.evidence.gates
    bad = stable.stable_bad[:, state.step] / stable.stable_n[:, state.step]
    expected = Traffic(state.rps, bad, judged.phi, policy.pairs_rps(state.rps))
    seconds = max(state.interval, 1 / max(state.rps, TINY))
    after = ladder.after(design, before, expected, seconds, float(state.weight))
    gained = [each.for_gates(design)[i, state.step] for each in (before, after)]
    growth = math.log(max(gained[1], TINY)) - math.log(max(gained[0], TINY))
    rest = math.log(row.gate_needed) - math.log(max(row.gate, TINY))
    requests = state.rps * seconds
    return rest / growth * requests if growth > 0 else math.inf
