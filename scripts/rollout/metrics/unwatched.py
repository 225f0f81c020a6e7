"""What of a policy nobody counts here, as with a predictor that is not ours. Pure."""

from collections.abc import Iterator, Mapping

from scripts.rollout.metrics.port import (
    CONFIDENCE,
    LABEL,
    REQUESTS,
    TIMED,
    UP_TO,
    Sample,
    Scraped,
)
from scripts.rollout.policy.metric import Metric
from scripts.rollout.policy.policy import Policy

ENOUGH = 20  # requests: after so many a predictor that counts labels has counted one


def told(policy: Policy, scraped: Scraped, arm: str) -> Iterator[str]:
    """Say of each metric that has no counter here that it is not judged."""
    for metric in policy.metrics:
        if is_missing(metric, scraped, arm):
            what = counted_as(metric)
            yield f"{metric.name}: nobody counts {what} here; not judged"
            if metric.is_gate:
                yield (
                    f"{metric.name}: its gate cannot open; give it mode: observe, or "
                    "leave it out"
                )


def is_missing(metric: Metric, scraped: Scraped, arm: str) -> bool:
    """Return whether requests were counted here, and not what this metric needs."""
    samples = scraped.reading.get(arm, {})
    requests = (each.get(REQUESTS, each.get(TIMED, 0.0)) for each in samples.values())
    _, prefix = _counted_as(metric)
    is_known = bool(prefix) and scraped.is_whole and sum(requests) >= ENOUGH
    return is_known and not _has(samples, prefix)


def counted_as(metric: Metric) -> str:
    """Return what somebody has to count for a metric."""
    return _counted_as(metric)[0]


def _counted_as(metric: Metric) -> tuple[str, str]:
    if metric.drift is not None:
        return "predicted labels", LABEL
    if metric.least_confidence is not None:
        return "confidences", CONFIDENCE
    return ("latency", UP_TO) if metric.slo is not None else ("", "")


def _has(samples: Mapping[str, Sample], prefix: str) -> bool:
    return any(name.startswith(prefix) for each in samples.values() for name in each)
