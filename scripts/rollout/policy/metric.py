"""What is compared: which share of what is bad, and how much more of it is too much."""

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from scripts.rollout.policy.values import Part, Share, SomeSeconds

CONFIDENCE = re.compile(r"confidence<(0\.\d+)")
EDGES = 20  # the predictor counts confidences in steps of 0.05
FAIR = 0.5  # guarantee: of two equally good arms each is the wrong one half the time
REVISION = "{revision}"


class PromQL(Part):
    """Two counters of one revision, which stands where {revision} does.

    `bad` counts bad ones or adds up scores from 0 to 1, `total` counts all.
    """

    bad: str
    total: str

    @model_validator(mode="after")
    def _names_a_revision(self) -> "PromQL":
        for name, query in (("bad", self.bad), ("total", self.total)):
            if REVISION not in query:
                raise ValueError(f"{name}: expected {REVISION} in the query")
        return self


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
    bad: str | None = None
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
        """Whether it keeps a gate shut."""
        return self.mode == "decide" and self.budget is not None

    @property
    def limit(self) -> float | None:
        """The largest bad share of pairs, None where both arms are compared."""
        if self.feedback is not None:
            return FAIR
        return self.tolerance if self.shadow is not None else None

    @property
    def least_confidence(self) -> float | None:
        """Below which an answer is bad, None where that is not what is compared."""
        match = CONFIDENCE.fullmatch(self.bad or "")
        return float(match[1]) if match else None

    @model_validator(mode="after")
    def _is_one_kind(self) -> "Metric":
        kinds = ("slo", "bad", "promql", "drift", "shadow", "feedback")
        found = [kind for kind in kinds if getattr(self, kind) is not None]
        if len(found) > 1:
            both = " and ".join(found)
            raise ValueError(f"{both} are {len(found)} metrics; keep one of them")
        if not found and self.name != "errors":
            raise ValueError(
                f"unknown metric {self.name!r}: expected the name errors, or "
                "slo: 250ms, bad: confidence<0.5, promql: {...}, "
                "drift: predicted_label, shadow: predicted_label or feedback: label"
            )
        self._has_its_bound()
        return self

    def _has_its_bound(self) -> None:
        given = {"budget": self.budget, "tolerance": self.tolerance}
        if self.feedback is not None:
            if any(given.values()):
                raise ValueError("feedback: expected neither budget nor tolerance")
            return
        wanted, other = ("budget", "tolerance")[:: -1 if self.finds_only else 1]
        if given[wanted] is None or given[other] is not None:
            raise ValueError(f"expected {wanted}: 1%, and no {other}")

    @property
    def finds_only(self) -> bool:
        """Whether it has a tolerance, and rolls back only."""
        return self.drift is not None or self.shadow is not None

    @model_validator(mode="after")
    def _is_an_edge(self) -> "Metric":
        if self.bad is None:
            return self
        edge = self.least_confidence
        if edge is None or not (edge * EDGES).is_integer() or not edge:
            raise ValueError(
                "bad: expected confidence< and a multiple of 0.05, which is how finely "
                f"confidences are counted, such as confidence<0.5, got {self.bad!r}"
            )
        return self


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
