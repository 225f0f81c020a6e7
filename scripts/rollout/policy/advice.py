"""Advice that `lint` gives for a policy without a fault. Pure."""

from collections.abc import Iterator

from scripts.rollout import text
from scripts.rollout.policy.policy import Policy

# Upper edges of latency buckets, in seconds: Envoy's if nobody set others, and those
# of this repository's predictor.
USUAL_EDGES_S = {
    "gateway": (
        *(0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        *(30, 60, 300, 600, 1800, 3600),
    ),
    "predictor": (
        *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
        *(0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    ),
}


def advice(policy: Policy) -> Iterator[str]:
    """Yield one line for each, which begins with the field."""
    yield from _edges(policy)
    for position, metric in enumerate(policy.metrics):
        if metric.promql is not None:
            yield (
                f"metrics[{position}].promql: {metric.name} needs one counter a pod "
                "from each query, with the label pod or instance, that only grows; bad "
                "is a part of total; a sum() over pods says nothing after it lost one"
            )


def _edges(policy: Policy) -> Iterator[str]:
    """Say at which edge an objective is judged: a histogram knows no other time."""
    usual = USUAL_EDGES_S.get(policy.counted_by, ())
    for position, metric in enumerate(policy.metrics):
        if metric.slo is None or metric.slo in usual or not usual:
            continue
        below = [edge for edge in usual if edge <= metric.slo]
        at = f"judged at {text.exactly(below[-1])}" if below else "below every edge"
        yield (
            f"metrics[{position}].slo: {text.exactly(metric.slo)} is {at}, if the "
            f"{policy.counted_by} has its usual edges; plan and run say which it has"
        )
