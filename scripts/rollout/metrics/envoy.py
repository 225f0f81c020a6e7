"""HTTP requests as the gateway's Envoy counts them, by revision. Pure."""

from collections.abc import Iterable
from urllib.parse import urlencode

from scripts.rollout.metrics.exposition import MS, Series, add, add_bucket
from scripts.rollout.metrics.port import (
    ERRORS,
    REQUESTS,
    TIMED,
    TIMEOUTS,
    Reading,
)

PROXY = "envoy_cluster_upstream_rq_"
PROXY_FAMILIES = ("completed", "retry", "timeout", "xx", "time_bucket", "time_count")
# What of Envoy's statistics is asked for: requests by cluster, and nothing else.
PROXY_PATTERN = r"^cluster\.[^.]*\.upstream_rq_(completed|retry|timeout|time|[45]xx)$"
PROXY_PAGE = f"/stats/prometheus?{urlencode({'filter': PROXY_PATTERN})}"


def proxy_names() -> list[str]:
    """Return the names of the proxy's metric families."""
    return [PROXY + name for name in PROXY_FAMILIES]


def from_proxy(series: Iterable[Series], namespace: str, instance: str) -> Reading:
    """Return HTTP requests by revision; a request that was retried counts as bad."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for each in series:
        space, _, revision = each.labels["envoy_cluster_name"].partition("/")
        if space != namespace:
            continue
        sample = found.setdefault(revision, {}).setdefault(instance, {})
        match each.name.removeprefix(PROXY):
            case "completed":
                add(sample, REQUESTS, each.value)
            case "retry":
                add(sample, REQUESTS, each.value)
                add(sample, ERRORS, each.value)
            case "xx" if each.labels["envoy_response_code_class"] == "5":
                add(sample, ERRORS, each.value)
            case "timeout":
                add(sample, TIMEOUTS, each.value)
            case "time_count":
                add(sample, TIMED, each.value)
            case "time_bucket":
                add_bucket(sample, each, MS)
    return found
