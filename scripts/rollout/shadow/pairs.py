"""Turns pairs of answers to the same texts into counts. Pure."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from scripts.rollout.policy.metric import Metric
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.actions import Request
from scripts.rollout.state.observation import Delta, PairedDelta, Row

FEEDBACK = "feedback"
# Disagreements that wait for a true label; in the state they take about 350 kB.
MOST_APART = 5000
Disagreements = Mapping[str, tuple[str, str]]
"""Request id to the labels of canary and stable, where they differ."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One arm's answer to a text; `label` is "" where the arm failed.

    `is_silent`: no answer at all, as from a pod that has gone.
    """

    seconds: float
    label: str = ""
    confidence: float = 0.0
    is_silent: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """The outcomes of both arms for one text; `request` is its request's id."""

    request: str
    canary: Outcome
    stable: Outcome

    @property
    def is_apart(self) -> bool:
        """Return whether both arms answered, with different labels."""
        labels = self.canary.label, self.stable.label
        return all(labels) and labels[0] != labels[1]


def count_pairs(policy: Policy, pairs: Iterable[Pair]) -> Delta:
    """Count the pairs for every metric that they are evidence on."""
    pairs = list(pairs)
    rows = ((metric.name, _row(metric, pairs)) for metric in policy.metrics)
    return Delta({name: row for name, row in rows if row is not None})


def _row(metric: Metric, pairs: list[Pair]) -> Row | None:
    if metric.shadow is not None:
        both = [each for each in pairs if each.canary.label and each.stable.label]
        apart = sum(each.is_apart for each in both)
        return (apart, len(both), 0.0, len(both))
    if metric.drift or metric.promql or metric.feedback:
        return None
    canary = list(_bad(metric, [each.canary for each in pairs]))
    stable = list(_bad(metric, [each.stable for each in pairs]))
    return (sum(canary), len(canary), sum(stable), len(stable))


def _bad(metric: Metric, outcomes: list[Outcome]) -> Iterator[bool]:
    for each in outcomes:
        if metric.least_confidence is not None:
            if each.label:
                yield each.confidence <= metric.least_confidence
        elif metric.slo is not None:
            yield not each.label or each.seconds > metric.slo
        else:
            yield not each.label


def add_disagreements(before: Disagreements, pairs: Iterable[Pair]) -> Disagreements:
    """Add pairs that differ and have an id; keep the newest MOST_APART."""
    new = {
        each.request: (each.canary.label, each.stable.label)
        for each in pairs
        if each.is_apart and each.request
    }
    every = {**before, **new}
    return dict(list(every.items())[-MOST_APART:])


def judge_disagreements(
    policy: Policy, known: Disagreements, requests: Iterable[Request]
) -> tuple[Disagreements, tuple[PairedDelta, ...]]:
    """Judge disagreements by the true labels in people's requests, once each.

    Only a pair in which exactly one arm is right says which arm is better. Returns the
    disagreements that are left, and the counts.
    """
    rest, wrong, right = dict(known), 0, 0
    for request in requests:
        if request.verb != FEEDBACK:
            continue
        for name, label in json.loads(request.reason).items():
            canary, stable = rest.pop(name, ("", ""))
            wrong += label == stable
            right += label == canary
    if not wrong + right:
        return rest, ()
    row = (float(wrong), float(wrong + right), 0.0, 0.0)
    rows = {metric.name: row for metric in policy.metrics if metric.feedback}
    return rest, (PairedDelta(FEEDBACK, Delta(rows)),)


class PairSource(Protocol):
    """Asks both arms the same texts; `counts` as in `PairedDelta`."""

    name: str
    counts: bool

    def take(self, canary: str, stable: str) -> list[Pair]:
        """Return the pairs of answers since the last call."""

    def close(self) -> None:
        """Stop asking."""
