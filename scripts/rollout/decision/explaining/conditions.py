"""What the two probabilities rest on: which of it was checked, and what came out. Pure.

docs/proofs.md, "Conditions", has all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scripts.rollout.decision.dependence import ASSUMED
from scripts.rollout.evidence.arrays import Array
from scripts.rollout.evidence.dispersion import allowance
from scripts.rollout.evidence.forecast.episodes import BURST_S
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.observation import Delta, pods_of
from scripts.rollout.state.state import Judged, State
from scripts.rollout.text import duration, share

# Guarantee, nearly: the part of alpha that pods have for themselves. With all of it
# 1.3 % of good canaries are rolled back where pods' shares differ by half.
PODS_PART = 0.5
# Seconds from one burst of harm to the next, as examples of what a bake may not meet.
PERIODS_S = (300.0, 1200.0)
# By side: the canary has too many or too few of the counted requests.
LIKELY = {
    1: (
        "a replica of the stable that is not scraped, a second route to the canary, "
        "probes counted as users, or sticky clients"
    ),
    -1: (
        "a replica of the canary that is not scraped, retries that go to the stable, "
        "a second route to the stable, or sticky clients"
    ),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition and what came out; `holds` is None where it was not checked."""

    name: str
    said: str
    holds: bool | None


def of(policy: Policy, state: State) -> list[Condition]:
    """Return the conditions of a rollout so far, none before there is evidence."""
    judged = state.judged
    if judged is None:
        return []
    found = [pods(policy, judged), _clusters(policy, judged), _warm(state)]
    found += [_apart(state), _split(policy, state), *_pairs(policy)]
    return [*found, *_episodes(state)]


def before(policy: Policy, judged: Judged) -> str:
    """Say before users come what the two probabilities do not cover."""
    found = pods(policy, judged)
    said = [found.said] if found.holds is None else []
    if judged.learned.is_little:
        said.append(_may_lack_bursts(judged))
    return "; ".join([*said, _comes_and_goes(policy.bake.duration)])


def told(found: Sequence[Condition]) -> str:
    """Describe all conditions in one line."""
    return "conditions: " + "; ".join(each.said for each in found)


def unit(policy: Policy) -> str:
    """Say what is judged with the canary, as far as the policy tells."""
    if policy.counted_by == "gateway":
        said = "pods are not told apart: the canary's are judged with its code"
    else:
        said = "what the stable's own pods differ by is allowed, from two on"
    return f"judged by request; {said}; users who stay with one arm are judged with it"


def pods(policy: Policy, judged: Judged) -> Condition:
    """Say whether the canary's pods were judged apart from its code."""
    most = int(judged.pods.max(initial=0.0))
    if most < 2:
        why = "the stable has one pod" if most else "pods are not told apart"
        return Condition(
            "pods", f"{why}, so the canary's is judged with its code", None
        )
    rows = zip(policy.metrics, judged.allowed, strict=True)
    more = [f"{metric.name} +{share(each)}" for metric, each in rows if each]
    said = f"the stable's {most} pods differ by chance only"
    if more:
        said = (
            f"the stable's {most} pods differ, so a canary's may by {', '.join(more)}"
        )
    return Condition("pods", said, holds=True)


def _clusters(policy: Policy, judged: Judged) -> Condition:
    rows = zip(policy.metrics, judged.phi, judged.phi_source, strict=True)
    found = [f"{metric.name} {phi:.3g} ({source})" for metric, phi, source in rows]
    is_assumed = any(each.startswith(ASSUMED) for each in judged.phi_source)
    said = f"outcomes in clusters of {', '.join(found)}"
    if judged.learned.is_little:
        said += f"; {_may_lack_bursts(judged)}"
    return Condition("clusters", said, None if is_assumed else True)


def _may_lack_bursts(judged: Judged) -> str:
    """Say what the first scrapes may not have shown, and what is done about it."""
    return (
        f"{judged.learned.used} scrapes may lack a burst of bad outcomes, so one "
        f"look counts {judged.learned.most:g}-fold against the canary at most"
    )


def moved_split(state: State) -> str:
    """Describe a split that is not the one that is set, and what may be the cause."""
    found = state.split
    assert found is not None
    counted, asked = share(found.canary / max(found.n, 1.0)), share(found.share)
    return (
        f"{state.canary} has {counted} of {found.n:.0f} counted requests, {asked} is "
        f"set; likely {LIKELY[found.side]}"
    )


def _split(policy: Policy, state: State) -> Condition:
    """Say whether the counted split was the one that was set, as far as is known."""
    found = state.split
    if policy.guards.split_tolerance is None or found is None:
        said = "the counted split was not tested"
        return Condition("split", said, None)
    if state.is_split_moved:
        return Condition("split", moved_split(state), holds=False)
    if not found.n:
        return Condition("split", "the counted split is right again", holds=True)
    counted, asked = share(found.canary / found.n), share(found.share)
    said = f"{counted} of {found.n:.0f} requests were the canary's, {asked} was set"
    return Condition("split", said, holds=True)


def _warm(state: State) -> Condition:
    if state.warming is None or not state.warming.sent:
        said = "no warm-up, so a cold start is judged with the code"
        return Condition("cold start", said, None)
    if not state.is_warm:
        return Condition("cold start", "users did not come before it was warm", None)
    if state.warming.quiet_since is None:
        return Condition("cold start", "still cold when users came", holds=False)
    return Condition("cold start", "warm when users came", holds=True)


def _apart(state: State) -> Condition:
    """Say how far apart the arms were read, of what was compared."""
    most = f"at most {state.apart_s:.1f} s apart" if state.apart_s else "together"
    return Condition("read skew", f"both arms were read {most}", holds=True)


def _episodes(state: State) -> list[Condition]:
    """Say what a bake may not have met; `plan` says how often that is promoted."""
    if state.baked is None:
        return []
    return [Condition("episodes", _comes_and_goes(state.baked.seconds), None)]


def _comes_and_goes(bake_s: float) -> str:
    """Say how often a bake meets harm that is there for BURST_S in each period.

    The first burst comes at any time of a period alike, so a bake overlaps one with
    probability (bake + burst) / period.
    """
    met = [min((bake_s + BURST_S) / each, 1.0) for each in PERIODS_S]
    often, seldom = (f"{each:.0%}" for each in met)
    return (
        f"harm that comes for {BURST_S:g} s now and then is not covered: a bake of "
        f"{duration(bake_s)} meets it in {often} of rollouts where it comes each "
        f"{duration(PERIODS_S[0])}, in {seldom} where each {duration(PERIODS_S[1])}"
    )


def _pairs(policy: Policy) -> list[Condition]:
    if not policy.has_pairs:
        return []
    if policy.pairs_stand_for_users:
        said = "users meet nothing that pairs do not, as the policy says"
        return [Condition("pairs", said, None)]
    return [Condition("pairs", "users and pairs were judged apart", holds=True)]


def between_pods(
    policy: Policy, known: Sequence[Delta], phi: Array, canaries: int
) -> tuple[Array, Array]:
    """Return by metric how many pods the stable has, and what their spread allows.

    The second is the excess bad share that a canary of as many pods may have by chance.
    """
    counted, allowed, by_pod = [], [], pods_of(known)
    for metric, clusters in zip(policy.metrics, phi, strict=True):
        counts = np.array(list(by_pod.get(metric.name, {}).values()), dtype=float)
        bad, n = counts.reshape(-1, 2).T
        alpha = policy.risk.false_rollback * PODS_PART
        counted.append(float(len(n)))
        allowed.append(allowance(bad, n, float(clusters), canaries, alpha))
    return np.array(counted), np.array(allowed)
