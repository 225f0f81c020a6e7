"""Adds pairs to a rollout's evidence, and says what they stand for. Pure."""

import math
from dataclasses import replace

import numpy as np

from scripts.rollout.evidence.evidence import Design
from scripts.rollout.evidence.pairs.paired import PairCounts
from scripts.rollout.policy.metric import FAIR, Metric
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.observation import PairedDelta
from scripts.rollout.state.state import FULL, Judged
from scripts.rollout.text import share


def counted(
    policy: Policy, design: Design, judged: Judged, beside: PairedDelta, weight: int
) -> Judged:
    """Return the evidence after pairs were counted, at one weight.

    A policy without pairs decides without them, as where it replays another's journal.
    """
    if judged.evidence.pairs is None:
        return judged
    rows = np.array([beside.row(metric.name) for metric in policy.metrics])
    limits = np.array([_limit(metric, beside.percent) for metric in policy.metrics])
    evidence = judged.evidence.with_pairs(
        design,
        PairCounts(*rows.T),
        limits,
        judged.phi,
        np.array(float(weight)),
        judged.learned.most,
    )
    return replace(judged, evidence=evidence)


def _limit(metric: Metric, percent: int) -> float:
    """Return the largest share of pairs in which the canary alone may be bad."""
    if metric.limit is None:
        return math.nan
    return fair(percent) if metric.feedback is not None else metric.limit


def fair(percent: int) -> float:
    """Return the largest share of labels by which a good canary can be the wrong arm.

    Labels that come at random find each of two equally good arms wrong in half of
    those that differ. People who label what annoyed them have seen the canary's answer
    as often as its weight says, `percent` at that time.
    """
    return max(FAIR, percent / FULL)


def assumption(policy: Policy) -> str:
    """Say what a promotion rests on that nothing here can check, "" if on nothing."""
    if not policy.pairs_stand_for_users:
        return ""
    return "assumed, as the policy says: users meet nothing that pairs do not"


def labels_at(policy: Policy, percent: int) -> str:
    """Say what labels show of answers that are given at this weight, "" if enough."""
    limit = fair(percent)
    if limit == FAIR or not any(metric.feedback for metric in policy.metrics):
        return ""
    return (
        f"labels of answers given at {percent} % speak against the canary only where "
        f"they find it wrong in more than {share(limit)} of those that differ: who "
        "labels what annoyed them has seen its answers that often"
    )
