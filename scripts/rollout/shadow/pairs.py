"""The same texts asked of both arms: from pairs of answers to counts. Pure."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from scripts.rollout.policy.metric import Metric
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.actions import Request
from scripts.rollout.state.observation import Delta, PairedDelta, Row

FEEDBACK = "feedback"
# Disagreements that wait for a label, kept in the state: some 350 kB of it.
MOST_APART = 5000
Disagreements = Mapping[str, tuple[str, str]]
"""Labels of canary and stable where they differ, by the request's id."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an arm made of a text; `label` is "" where it failed.

    `is_silent`: no answer at all, as from a pod that is gone.
    """

    seconds: float
    label: str = ""
    confidence: float = 0.0
    is_silent: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """Both arms' outcomes of the text of one request."""

    request: str
    canary: Outcome
    stable: Outcome

    @property
    def is_apart(self) -> bool:
        """Whether both answered, and differently."""
        labels = self.canary.label, self.stable.label
        return all(labels) and labels[0] != labels[1]


def counted(policy: Policy, pairs: Iterable[Pair]) -> Delta:
    """Counts of every metric that pairs can say something about."""
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


def apart(before: Disagreements, pairs: Iterable[Pair]) -> Disagreements:
    """The newest that differ and have an id, with those that were known."""
    new = {
        each.request: (each.canary.label, each.stable.label)
        for each in pairs
        if each.is_apart and each.request
    }
    every = {**before, **new}
    return dict(list(every.items())[-MOST_APART:])


def judged(
    policy: Policy, known: Disagreements, requests: Iterable[Request]
) -> tuple[Disagreements, tuple[PairedDelta, ...]]:
    """What true labels say of the pairs that differ, each of which counts once.

    Only those where one of both is right say which is better.
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
    """Whoever asks both arms the same texts; `counts` as in `PairedDelta`."""

    name: str
    counts: bool

    def take(self, canary: str, stable: str) -> list[Pair]:
        """Pairs of answers since the last time."""

    def close(self) -> None:
        """Ask nothing more."""
