"""Turns pairs of answers to the same requests into counts. Pure."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from scripts.rollout.policy.metric import Metric
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.actions import Request
from scripts.rollout.state.observation import PairedDelta, PairRow
from scripts.rollout.state.state import FULL

FEEDBACK = "feedback"
# Disagreements that wait for a true label; in the state they take about 400 kB.
MOST_APART = 5000


class Disagreement(NamedTuple):
    """The labels of both arms for one text, and the canary's weight at that time."""

    canary: str
    stable: str
    percent: int = 0


Disagreements = Mapping[str, Disagreement]
"""By the id of the text."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One arm's answer to a request, () where it failed; a text each.

    `is_silent`: no answer at all, as from a pod that has gone.
    """

    seconds: float
    labels: tuple[str, ...] = ()
    confidences: tuple[float, ...] = ()
    is_silent: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """The outcomes of both arms for one request; `request` is its id."""

    request: str
    canary: Outcome
    stable: Outcome

    @property
    def labels(self) -> list[tuple[str, str]]:
        """Return the labels of canary and stable, none where an arm failed."""
        return list(zip(self.canary.labels, self.stable.labels, strict=False))

    @property
    def apart(self) -> Iterator[tuple[str, str, str]]:
        """Yield id and both labels of each text that they label differently."""
        found = self.labels
        for number, (canary, stable) in enumerate(found):
            if canary != stable:
                name = self.request if len(found) == 1 else f"{self.request}/{number}"
                yield name, canary, stable


def count_pairs(policy: Policy, pairs: Iterable[Pair]) -> dict[str, PairRow]:
    """Count the pairs for every metric that they are evidence on."""
    pairs = list(pairs)
    rows = ((metric.name, _row(metric, pairs)) for metric in policy.metrics)
    return {name: row for name, row in rows if row is not None}


def _row(metric: Metric, pairs: list[Pair]) -> PairRow | None:
    if metric.shadow is not None:
        both = [labels for pair in pairs for labels in pair.labels]
        return (float(sum(a != b for a, b in both)), 0.0, 0.0, float(len(both)))
    if metric.drift or metric.promql or metric.feedback:
        return None
    bad = [each for pair in pairs for each in _bad(metric, pair)]
    return (
        float(sum(canary and not stable for canary, stable in bad)),
        float(sum(stable and not canary for canary, stable in bad)),
        float(sum(canary and stable for canary, stable in bad)),
        float(len(bad)),
    )


def _bad(metric: Metric, pair: Pair) -> Iterator[tuple[bool, bool]]:
    """Yield whether the answers are bad: of each text, or of the whole request."""
    arms = (pair.canary, pair.stable)
    if metric.least_confidence is not None:
        least = metric.least_confidence
        for confidences in zip(*(arm.confidences for arm in arms), strict=False):
            yield confidences[0] <= least, confidences[1] <= least
    elif metric.slo is not None:
        slow = [not arm.labels or arm.seconds > metric.slo for arm in arms]
        yield slow[0], slow[1]
    else:
        yield not pair.canary.labels, not pair.stable.labels


def add_disagreements(
    before: Disagreements, pairs: Iterable[Pair], percent: int
) -> Disagreements:
    """Add what differs and has an id; keep the newest MOST_APART.

    `percent` is the largest weight of the canary while these were users' requests.
    """
    new = {
        name: Disagreement(canary, stable, percent)
        for pair in pairs
        if pair.request
        for name, canary, stable in pair.apart
    }
    every = {**before, **new}
    return dict(list(every.items())[-MOST_APART:])


def judge_disagreements(
    policy: Policy, known: Disagreements, requests: Iterable[Request]
) -> tuple[Disagreements, tuple[PairedDelta, ...]]:
    """Judge disagreements by the true labels in people's requests, once each.

    Only a pair in which exactly one arm is right says which arm is better. Returns the
    disagreements that are left, and the counts for each weight of the canary.
    """
    rest, found = dict(known), dict[int, list[float]]()
    for request in requests:
        if request.verb != FEEDBACK:
            continue
        for name, label in json.loads(request.reason).items():
            pair = rest.pop(name, None)
            if pair is None or pair.percent >= FULL:
                continue  # where nobody saw the stable's answers, labels show nothing
            if label in (pair.canary, pair.stable):
                wrong, right = found.setdefault(pair.percent, [0.0, 0.0])
                is_wrong = label == pair.stable
                found[pair.percent] = [wrong + is_wrong, right + (not is_wrong)]
    names = [metric.name for metric in policy.metrics if metric.feedback]
    return rest, tuple(
        PairedDelta(
            FEEDBACK,
            dict.fromkeys(names, (wrong, right, 0.0, wrong + right)),
            percent=percent,
        )
        for percent, (wrong, right) in sorted(found.items())
    )


class PairSource(Protocol):
    """Asks both arms the same requests; `counts` as in `PairedDelta`."""

    name: str
    counts: bool

    def refuse_foreign(self, stable: str) -> None:
        """Raise RolloutError where the stable can be no source of requests."""

    def take(self, canary: str, stable: str) -> list[Pair]:
        """Return the pairs of answers since the last call."""

    def close(self) -> None:
        """Stop asking."""
