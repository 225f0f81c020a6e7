"""What of a policy nobody counts here, as with a predictor that is not ours. Pure."""

from collections.abc import Iterator, Mapping

from scripts.rollout.metrics.port import (
    CONFIDENCE,
    LABEL,
    REQUESTS,
    TIMED,
    UP_TO,
    Reading,
    Sample,
)
from scripts.rollout.policy.metric import Metric
from scripts.rollout.policy.policy import Policy

ENOUGH = 20  # requests: after so many a predictor that counts labels has counted one


def told(policy: Policy, reading: Reading, arm: str) -> Iterator[str]:
    """Say of each metric that has no counter here that it is not judged."""
    samples = reading.get(arm, {})
    requests = (each.get(REQUESTS, each.get(TIMED, 0.0)) for each in samples.values())
    if sum(requests) < ENOUGH:
        return
    for metric in policy.metrics:
        what, prefix = _counted_as(metric)
        if prefix and not _has(samples, prefix):
            yield f"{metric.name}: nobody counts {what} here; not judged"
            if metric.is_gate:
                yield (
                    f"{metric.name}: its gate cannot open; give it mode: observe, or "
                    "leave it out"
                )


def _counted_as(metric: Metric) -> tuple[str, str]:
    if metric.drift is not None:
        return "predicted labels", LABEL
    if metric.least_confidence is not None:
        return "confidences", CONFIDENCE
    return ("latency", UP_TO) if metric.slo is not None else ("", "")


def _has(samples: Mapping[str, Sample], prefix: str) -> bool:
    return any(name.startswith(prefix) for each in samples.values() for name in each)
