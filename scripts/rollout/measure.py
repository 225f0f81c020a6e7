"""From a policy's metrics to arrays: the design, and the counts of one scrape. Pure."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from scripts.rollout.drift import Labels
from scripts.rollout.evidence import (
    PRIOR_BAD,
    PRIOR_REQUESTS,
    Array,
    Counts,
    dispersion,
)
from scripts.rollout.interval import Interval
from scripts.rollout.judge import Design, Evidence
from scripts.rollout.plan import Traffic
from scripts.rollout.policy import Metric, Policy
from scripts.rollout.state import Delta, Judged

EPOCH_S = 60.0
ENOUGH_BAD = 10.0
LARGEST_PRIOR = 5000.0
CEILING_WEIGHT = 1.0
NOTHING = (0.0, 0.0, 0.0, 0.0)


def design(policy: Policy, steps: Sequence[int]) -> Design:
    """The tests that a policy asks for, on these steps."""
    metrics = policy.metrics
    weights = [m.weight if m.mode == "decide" else 0.0 for m in metrics]
    shares = np.array([*weights, CEILING_WEIGHT])
    return Design(
        alpha=policy.risk.false_rollback,
        beta=policy.risk.bad_promotion,
        shares=shares / shares.sum(),
        tolerance=np.array([m.tolerance or 0.0 for m in metrics]),
        budget=np.array([m.budget or 1.0 for m in metrics]),
        gated=np.array([m.is_gate for m in metrics]),
        steps=np.array(steps, dtype=float),
        carry_from=policy.carried_from,
        ceiling=policy.guards.max_error_rate,
    )


def traffic(policy: Policy, known: Sequence[Delta], phi: Array, rps: float) -> Traffic:
    """What to expect of both arms, from what the stable showed."""
    bad, n = _known(policy, known)
    return Traffic(rps, bad / n, phi)


def begin(
    policy: Policy,
    design: Design,
    known: Sequence[Delta],
    phi: tuple[Array, tuple[str, ...]],
    now: float,
) -> Judged:
    """No evidence yet, on what the stable showed before."""
    bad, n = _known(policy, known)
    prior = np.minimum(n, LARGEST_PRIOR)
    return Judged(
        began=now,
        phi=phi[0],
        phi_source=phi[1],
        evidence=Evidence.begin(design, bad / n * prior, prior),
        interval=Interval.begin(len(policy.metrics)),
        label_names=(),
        labels=Labels.begin((0,)),
    )


def update(
    policy: Policy,
    design: Design,
    judged: Judged,
    delta: Delta,
    weight: int,
    now: float,
) -> Judged:
    """Add one scrape, taken at `weight` percent, to all evidence."""
    judged, canary, stable = _labels(judged, delta)
    counts, stable_rate = _counts(policy, judged.labels, delta, canary, stable)
    epoch = judged.evidence.worse.mixture.epoch
    return replace(
        judged,
        evidence=judged.evidence.update(
            design,
            counts,
            judged.phi,
            np.array(float(weight)),
            is_new_epoch=now - judged.began >= (epoch + 1) * EPOCH_S,
            stable_rate=stable_rate,
        ),
        interval=judged.interval.update(counts, judged.phi),
        labels=judged.labels.update(canary, stable),
    )


def phi_of(policy: Policy, known: Sequence[Delta]) -> tuple[Array, tuple[str, ...]]:
    """How many outcomes of each metric move together, and who says so."""
    fixed = policy.dependence.cluster_size
    if fixed != "auto":
        size = len(policy.metrics)
        return np.full(size, float(fixed)), ("policy",) * size
    pairs = [_phi(policy, metric, known) for metric in policy.metrics]
    return np.array([phi for phi, _ in pairs]), tuple(source for _, source in pairs)


def _phi(policy: Policy, metric: Metric, known: Sequence[Delta]) -> tuple[float, str]:
    if metric.drift is None:
        rows = [delta.metrics.get(metric.name, NOTHING) for delta in known]
        bad = np.array([[row[2]] for row in rows])
        n = np.array([row[3] for row in rows])
    else:
        names = sorted({name for delta in known for name in delta.labels})
        bad = np.array(
            [[d.labels.get(each, NOTHING)[1] for each in names] for d in known]
        )
        n = bad.sum(axis=-1)
    if len(known) < 2 or bad.sum() < ENOUGH_BAD:
        seen = f"{bad.sum():.0f} outcomes in {len(known)} scrapes"
        return float(policy.dependence.assumed), f"assumed, only {seen}"
    return dispersion(bad, n), f"{len(known)} scrapes of the stable"


def _known(policy: Policy, known: Sequence[Delta]) -> tuple[Array, Array]:
    """Bad and n of the stable, with a prior of one in a hundred."""
    rows = np.array(
        [[d.metrics.get(m.name, NOTHING)[2:] for m in policy.metrics] for d in known]
    ).reshape(-1, len(policy.metrics), 2)
    bad, n = rows.sum(axis=0).T
    return bad + PRIOR_BAD, n + PRIOR_REQUESTS


def _labels(judged: Judged, delta: Delta) -> tuple[Judged, Array, Array]:
    names = judged.label_names
    new = tuple(name for name in delta.labels if name not in names)
    if new:
        names = (*names, *new)
        labels = judged.labels.widened(len(names))
        judged = replace(judged, label_names=names, labels=labels)
    pairs = [delta.labels.get(name, (0.0, 0.0)) for name in names]
    canary, stable = np.array(pairs, dtype=float).reshape(-1, 2).T
    return judged, canary, stable


def _counts(
    policy: Policy, labels: Labels, delta: Delta, canary: Array, stable: Array
) -> tuple[Counts, Array | None]:
    """Counts of all metrics; the stable's share where a metric is drift, else NaN."""
    rows = [delta.metrics.get(metric.name, NOTHING) for metric in policy.metrics]
    drifting = [i for i, m in enumerate(policy.metrics) if m.drift is not None]
    if not drifting:
        return Counts(*np.array(rows, dtype=float).T), None
    inside, share = labels.compare(canary, stable)
    stable_rate = np.full(len(rows), math.nan)
    for position in drifting:
        stable_rate[position] = share
        rows[position] = (
            *(float(inside.canary_bad), float(inside.canary_n)),
            *(float(inside.stable_bad), float(inside.stable_n)),
        )
    return Counts(*np.array(rows, dtype=float).T), stable_rate
