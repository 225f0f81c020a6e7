"""A metric of the policy: a bad share, and the excess of it that is too much."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from scripts.rollout.policy.values import Part, Share, SomeSeconds

CONFIDENCE = re.compile(r"confidence<(0\.\d+)")
EDGES = 20  # the predictor counts confidences in steps of 0.05
FAIR = 0.5  # guarantee: of two equally good arms each is the wrong one half the time
REVISION = "{revision}"
# Functions whose results rise and fall: what was gained cannot be told from them.
NO_COUNTER = re.compile(
    r"\b(i?rate|i?delta|increase|deriv|avg|histogram_quantile|\w+_over_time)\s*"
    r"(?:(?:by|without)\s*\([^)]*\)\s*)?\("
)


def _of_one_revision(query: str) -> str:
    if REVISION not in query:
        raise ValueError(f"expected {REVISION} in the query, got {query!r}")
    rates = NO_COUNTER.search(query)
    if rates:
        raise ValueError(f"expected a counter that only grows, got {rates[1]}()")
    return query


def _on_an_edge(bad: str) -> str:
    match = CONFIDENCE.fullmatch(bad)
    edge = float(match[1]) * EDGES if match else 0.0
    if not edge or not edge.is_integer():
        raise ValueError(
            "expected confidence< and a multiple of 0.05, which is how finely "
            f"confidences are counted, such as confidence<0.5, got {bad!r}"
        )
    return bad


Query = Annotated[str, AfterValidator(_of_one_revision)]


class PromQL(Part):
    """Two counters of one revision, which stands where {revision} does.

    `bad` counts bad ones or adds up scores from 0 to 1, `total` counts all. Both are
    counters as they are, best one series a pod: what they gained is worked out here.
    """

    bad: Query
    total: Query


class Metric(Part):
    """One comparison: `errors`, or what exactly one of the kinds says.

    `slo`: the share over a duration. `bad`: answers of low confidence. `promql`: two
    counters. `budget` is the largest excess bad share of all traffic that is
    tolerated. Three can be found but not ruled out, so they open no gate. `drift`:
    another mix of labels, of `tolerance` in total variation distance. `shadow`: other
    labels than the stable's for the same texts, a share of `tolerance`. `feedback`:
    where both differ, wrong more often than right, by true labels that people bring.
    `mode: observe` shows a metric and lets it decide nothing.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    slo: SomeSeconds | None = None
    bad: Annotated[str, AfterValidator(_on_an_edge)] | None = None
    promql: PromQL | None = None
    drift: Literal["predicted_label"] | None = None
    shadow: Literal["predicted_label"] | None = None
    feedback: Literal["label"] | None = None
    budget: Share | None = None
    tolerance: Share | None = None
    weight: Annotated[float, Field(gt=0)] = 1.0
    mode: Literal["decide", "observe"] = "decide"

    @property
    def is_gate(self) -> bool:
        """Return whether the metric must pass before a gate opens."""
        return self.mode == "decide" and self.budget is not None

    @property
    def limit(self) -> float | None:
        """Return the largest bad share of pairs, None where both arms are compared."""
        if self.feedback is not None:
            return FAIR
        return self.tolerance if self.shadow is not None else None

    @property
    def least_confidence(self) -> float | None:
        """Return the confidence at or below which an answer is bad, or None."""
        match = CONFIDENCE.fullmatch(self.bad or "")
        return float(match[1]) if match else None

    def conflicts(self) -> Iterator[str]:
        """Yield the faults between keys that are valid by themselves."""
        kinds = ("slo", "bad", "promql", "drift", "shadow", "feedback")
        found = [kind for kind in kinds if getattr(self, kind) is not None]
        if len(found) > 1:
            both = " and ".join(found)
            yield f"{both} are {len(found)} metrics; keep one of them"
        elif not found and self.name != "errors":
            yield (
                f"unknown metric {self.name!r}: expected the name errors, or "
                "slo: 250ms, bad: confidence<0.5, promql: {...}, "
                "drift: predicted_label, shadow: predicted_label or feedback: label"
            )
        else:
            yield from self._conflicts_of_bounds()

    def _conflicts_of_bounds(self) -> Iterator[str]:
        given = {"budget": self.budget, "tolerance": self.tolerance}
        if self.feedback is not None:
            if any(given.values()):
                yield "feedback: expected neither budget nor tolerance"
            return
        wanted, other = ("budget", "tolerance")[:: -1 if self.finds_only else 1]
        if given[wanted] is None or given[other] is not None:
            yield f"expected {wanted}: 1%, and no {other}"

    @property
    def finds_only(self) -> bool:
        """Return whether the metric can roll back but opens no gate."""
        return self.drift is not None or self.shadow is not None


# Tunable by the policy: budgets as in DECISIONS.md; errors and latency share six of the
# eight parts of alpha, labels and the ceiling have one each.
DEFAULT_METRICS = tuple(
    Metric.model_validate(metric)
    for metric in (
        {"name": "errors", "budget": "0.5%", "weight": 3},
        {"name": "latency", "slo": "250ms", "budget": "1%", "weight": 3},
        {"name": "labels", "drift": "predicted_label", "tolerance": "5%"},
    )
)
