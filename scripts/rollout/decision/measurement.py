"""Converts a policy's metrics to arrays: the design, and a scrape's counts. Pure."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from scripts.rollout.decision import dependence
from scripts.rollout.evidence.arrays import Array
from scripts.rollout.evidence.drift import Labels
from scripts.rollout.evidence.evidence import Design, Evidence
from scripts.rollout.evidence.forecast import ladder
from scripts.rollout.evidence.forecast.ladder import Looks, Traffic
from scripts.rollout.evidence.interval import Interval
from scripts.rollout.evidence.learned import Learned
from scripts.rollout.evidence.processes import PRIOR_BAD, PRIOR_REQUESTS
from scripts.rollout.evidence.two_sample import Counts
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.observation import Delta
from scripts.rollout.state.state import Judged

# Tunable: how often evidence begins anew for a canary that turns bad later; the prior
# over beginnings adds up to 1 for any value. Chosen by hand; 10 s changes nothing that
# was measured, 600 s finds +2 % a look later (DECISIONS.md, "Constants").
EPOCH_S = 60.0
# Tunable: requests for which the stable's past counts at most, so that its present
# soon counts more. Chosen by hand; 500 decides the same, 50,000 nearly ("Constants").
LARGEST_PRIOR = 5000.0
# Tunable: the ceiling's part of alpha, beside the metrics' weights of the policy. All
# are divided by their sum, which is what the guarantee needs.
CEILING_WEIGHT = 1.0


def design(policy: Policy, steps: Sequence[int]) -> Design:
    """Return the policy's tests on these steps (percents)."""
    metrics = policy.metrics
    weights = np.array(
        [*(m.weight if m.mode == "decide" else 0.0 for m in metrics), CEILING_WEIGHT]
    )
    return Design(
        alpha=policy.risk.false_rollback,
        beta=policy.risk.bad_promotion,
        bad_raise=max(policy.risk.bad_raise, policy.risk.bad_promotion),
        weights=weights / weights.sum(),
        tolerance=np.array([m.tolerance or 0.0 for m in metrics]),
        budget=np.array([m.budget or 1.0 for m in metrics]),
        gated=np.array([m.is_gate for m in metrics]),
        limit=np.array([math.nan if m.limit is None else m.limit for m in metrics]),
        steps=np.array(steps, dtype=float),
        carry_from=policy.carried_from,
        ceiling=policy.guards.max_error_rate,
        stands=policy.pairs_stand_for_users,
    )


def traffic(policy: Policy, known: Sequence[Delta], phi: Array, rps: float) -> Traffic:
    """Return the traffic expected of both arms, from the stable's scrapes."""
    bad, n = _total(dependence.rows_of(policy, known))
    return Traffic(rps, bad / n, phi, policy.pairs_rps(rps))


def looks(policy: Policy, traffic: Traffic) -> Looks:
    """Return steps and interval as the policy has them, or where `auto` as suits.

    If evidence comes without users, the first step is 0.
    """
    before = (0,) if policy.has_pairs else ()
    intervals: Sequence[float] = (policy.interval_s,)
    if policy.chooses_interval:
        intervals = [s for s in ladder.INTERVALS if s >= policy.shortest_look_s]
    if policy.steps == "auto":
        one = design(policy, (1,))
        chosen = ladder.choose(one, traffic, intervals, policy.dwell_s)
        return Looks((*before, *chosen.steps), chosen.interval)
    interval, *_ = ladder.affordable(traffic.rps, intervals, policy.steps[0])
    return Looks((*before, *policy.steps), interval)


def begin(
    policy: Policy,
    design: Design,
    known: Sequence[Delta],
    phi: tuple[Array, tuple[str, ...]],
    now: float,
) -> Judged:
    """Return no evidence yet, with the stable's earlier scrapes as prior counts."""
    rows = dependence.rows_of(policy, known)
    bad, n = _total(rows)
    prior = np.minimum(n, LARGEST_PRIOR)
    is_estimated = policy.dependence.cluster_size == "auto"
    return Judged(
        began=now,
        phi=phi[0],
        phi_source=phi[1],
        evidence=Evidence.begin(
            design, bad / n * prior, prior, has_pairs=policy.has_pairs
        ),
        interval=Interval.begin(bad / n),
        label_names=(),
        labels=Labels.begin((0,)),
        pods=np.zeros(len(policy.metrics)),
        allowed=np.zeros(len(policy.metrics)),
        learned=Learned.begin(rows[..., 2:] if is_estimated else rows[:0, :, 2:]),
    )


def update(
    policy: Policy,
    design: Design,
    judged: Judged,
    scrapes: Sequence[tuple[float, Delta]],
    weight: int,
    *,
    is_shown: bool = True,
) -> list[Judged]:
    """Return the evidence after each of some scrapes (time, counts) at one weight.

    It ends with a scrape after which phi is estimated anew. `is_shown`: whether the
    interval, which decides nothing, is kept up to date too.
    """
    if judged.allowed.any():
        design = replace(design, tolerance=design.tolerance + judged.allowed)
    deltas = [delta for _, delta in scrapes]
    rows = dependence.rows_of(policy, deltas)
    stable = rows[..., 2:]
    scrapes = scrapes[: judged.learned.until_due(stable)]
    deltas, rows = deltas[: len(scrapes)], rows[: len(scrapes)]
    judged = _with_labels(judged, deltas)
    counts, stable_rate, labels = _counts(policy, judged, deltas, rows)
    evidence = judged.evidence.update(
        design,
        counts,
        judged.phi,
        np.array(float(weight)),
        _new_epochs(judged, [time for time, _ in scrapes]),
        stable_rate,
        judged.learned.most,
    )
    intervals = judged.interval.over(counts, judged.phi, is_shown=is_shown)
    found = [
        replace(
            judged,
            evidence=evidence[t],
            interval=intervals[t],
            labels=Labels(labels.canary[t], labels.stable[t]),
            learned=judged.learned.plus(stable[: t + 1]),
        )
        for t in range(len(scrapes))
    ]
    return [*found[:-1], dependence.learned_anew(policy, found[-1])] if found else []


def _new_epochs(judged: Judged, times: Sequence[float]) -> list[bool]:
    """Return for each scrape whether it is the first of a minute of evidence."""
    epoch, found = judged.evidence.worse.mixture.epoch, []
    for time in times:
        is_new = time - judged.began >= (epoch + 1) * EPOCH_S
        epoch += is_new
        found.append(is_new)
    return found


def _total(rows: Array) -> tuple[Array, Array]:
    """Return bad and n of the stable (M), with a prior of one in a hundred."""
    bad, n = rows[..., 2:].sum(axis=0).T
    return bad + PRIOR_BAD, n + PRIOR_REQUESTS


def _with_labels(judged: Judged, deltas: Sequence[Delta]) -> Judged:
    """Return the evidence padded with every label of these scrapes."""
    names = dict.fromkeys(judged.label_names)
    for delta in deltas:
        if not names.keys() >= delta.labels.keys():
            names |= dict.fromkeys(delta.labels)
    if len(names) == len(judged.label_names):
        return judged
    labels = judged.labels.widened(len(names))
    return replace(judged, label_names=tuple(names), labels=labels)


def _counts(
    policy: Policy, judged: Judged, deltas: Sequence[Delta], rows: Array
) -> tuple[Counts, Array | None, Labels]:
    """Return counts (T, M) of `rows`, drift's stable share, labels after each."""
    names = judged.label_names
    pairs = [[d.labels.get(name, (0.0, 0.0)) for name in names] for d in deltas]
    canary, stable = np.moveaxis(
        np.array(pairs, dtype=float).reshape(len(deltas), -1, 2), -1, 0
    )
    scrapes = Labels.of(canary, stable)
    before = judged.labels.before(scrapes)
    labels = before.plus(scrapes)
    drifting = [m.drift is not None for m in policy.metrics]
    if not any(drifting):
        return Counts(*np.moveaxis(rows, -1, 0)), None, labels
    inside, share = before.compare(canary, stable)
    columns = (inside.canary_bad, inside.canary_n, inside.stable_bad, inside.stable_n)
    rows = rows.copy()
    rows[:, drifting] = np.stack(columns, axis=-1)[:, None]
    stable_rate = np.where(drifting, share[:, None], math.nan)
    return Counts(*np.moveaxis(rows, -1, 0)), stable_rate, labels


class Rules:
    """A policy and its tests."""

    def __init__(self, policy: Policy) -> None:
        """Keep the policy; designs are cached by their steps."""
        self.policy = policy
        self._designs: dict[tuple[int, ...], Design] = {}

    def design(self, steps: tuple[int, ...]) -> Design:
        """Return the tests on these steps."""
        if steps not in self._designs:
            self._designs[steps] = design(self.policy, steps)
        return self._designs[steps]
