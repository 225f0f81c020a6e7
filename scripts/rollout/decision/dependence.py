"""Estimates how outcomes depend on each other: phi, from the stable's scrapes. Pure."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from scripts.rollout.evidence.arrays import Array
from scripts.rollout.evidence.dispersion import dispersion
from scripts.rollout.evidence.learned import Learned
from scripts.rollout.policy.metric import Metric
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.observation import Delta
from scripts.rollout.state.state import Judged

# Tunable, and part of the guarantee: with fewer bad outcomes no dispersion is estimated
# and the policy's assumption holds. Chosen by hand: in a simulation of 30 scrapes five
# were enough to find clusters of four every time.
ENOUGH_BAD = 10.0
# How the source of a phi begins that nothing has shown.
ASSUMED = "assumed"


def phi_of(policy: Policy, known: Sequence[Delta]) -> tuple[Array, tuple[str, ...]]:
    """Return each metric's cluster size phi (over-dispersion) and its source."""
    fixed = policy.dependence.cluster_size
    if fixed != "auto":
        size = len(policy.metrics)
        return np.full(size, float(fixed)), ("policy",) * size
    pairs = [_phi(policy, metric, known) for metric in policy.metrics]
    return np.array([phi for phi, _ in pairs]), tuple(source for _, source in pairs)


def _phi(policy: Policy, metric: Metric, known: Sequence[Delta]) -> tuple[float, str]:
    if metric.drift is None:
        rows = [delta.row(metric.name) for delta in known]
        bad = np.array([[row[2]] for row in rows])
        n = np.array([row[3] for row in rows])
    else:
        names = sorted({name for delta in known for name in delta.labels})
        bad = np.array(
            [[d.labels.get(each, (0.0, 0.0))[1] for each in names] for d in known]
        )
        n = bad.sum(axis=-1)
    return _estimated(policy, bad, n)


def _estimated(policy: Policy, bad: Array, n: Array) -> tuple[float, str]:
    """Return phi from `bad` (scrapes, kinds) of `n` (scrapes), or what is assumed."""
    if len(n) < policy.dependence.scrapes or bad.sum() < ENOUGH_BAD:
        seen = f"{bad.sum():.0f} outcomes in {len(n)} scrapes"
        return float(policy.dependence.assumed), f"{ASSUMED}, only {seen}"
    return dispersion(bad, n), f"{len(n)} scrapes of the stable"


def learned_anew(policy: Policy, judged: Judged) -> Judged:
    """Return phi estimated from all scrapes so far, if it is time for that.

    It replaces what was assumed; an estimate only rises, as the smaller one may be of
    scrapes without a burst. Of labels the first estimate stays.
    """
    if not judged.learned.is_due:
        return judged
    phi, sources = judged.phi.copy(), list(judged.phi_source)
    bad, n = np.moveaxis(judged.learned.scrapes, -1, 0)
    for i, metric in enumerate(policy.metrics):
        if metric.drift is not None:
            continue
        new, source = _estimated(policy, bad[:, [i]], n[:, i])
        phi[i] = new if sources[i].startswith(ASSUMED) else max(phi[i], new)
        sources[i] = source
    return replace(
        judged,
        phi=phi,
        phi_source=tuple(sources),
        learned=Learned.begin(judged.learned.scrapes),
    )


def rows_of(policy: Policy, deltas: Sequence[Delta]) -> Array:
    """Return bad and n of the canary and of the stable (scrapes, M, 4)."""
    rows = [[delta.row(metric.name) for metric in policy.metrics] for delta in deltas]
    return np.array(rows, dtype=float).reshape(-1, len(policy.metrics), 4)
