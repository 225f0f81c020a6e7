"""HTTP and gRPC requests as a gateway's Envoy counts them, by revision. Pure.

Kourier calls its clusters NAMESPACE/REVISION, Contour NAMESPACE_SERVICE_PORT.
"""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
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
# gRPC's codes that are the server's doing: UNKNOWN, DEADLINE_EXCEEDED, INTERNAL,
# UNAVAILABLE, DATA_LOSS. Envoy counts them where its filter grpc_stats is on, as
# Contour's is; Kourier's is not.
GRPC, UNAVAILABLE = "envoy_cluster_grpc_", "14"
GRPC_CODES = ("2", "4", "13", UNAVAILABLE, "15")
# What of Envoy's statistics is asked for: requests by cluster, and nothing else.
PROXY_PATTERN = (
    r"^cluster\.[^.]*\.(upstream_rq_(completed|retry|timeout|time|[45]xx)"
    rf"|grpc\.({'|'.join(GRPC_CODES)}))$"
)
PROXY_PAGE = f"/stats/prometheus?{urlencode({'filter': PROXY_PATTERN})}"


def proxy_names() -> list[str]:
    """Return the names of the proxy's metric families."""
    return [
        *(PROXY + name for name in PROXY_FAMILIES),
        *(GRPC + code for code in GRPC_CODES),
    ]


def clusters(namespace: str, revisions: Iterable[str]) -> str:
    """Return a pattern of the names that the clusters of some revisions have."""
    names = (f"{namespace}/{each}|{namespace}_{each}_[0-9]+" for each in revisions)
    return "|".join(names)


def from_proxy(
    series: Iterable[Series],
    namespace: str,
    instance: str,
    arms: Mapping[str, str] = MappingProxyType({}),
) -> Reading:
    """Return requests by revision; a request that was retried counts as bad.

    `arms`: whose an Envoy cluster is, where its name does not say so.
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    refused: dict[str, dict[str, float]] = {}
    for each in series:
        cluster = each.labels["envoy_cluster_name"]
        revision = arms.get(cluster) or _revision(cluster, namespace)
        if not revision:
            continue
        sample = found.setdefault(revision, {}).setdefault(instance, {})
        match each.name.removeprefix(PROXY):
            case "completed":
                add(sample, REQUESTS, each.value)
            case "retry":
                add(sample, REQUESTS, each.value)
                add(sample, ERRORS, each.value)
            case "xx" if each.labels["envoy_response_code_class"] == "5":
                add(refused.setdefault(revision, {}), "5xx", each.value)
            case "timeout":
                add(sample, TIMEOUTS, each.value)
            case "time_count":
                add(sample, TIMED, each.value)
            case "time_bucket":
                add_bucket(sample, each, MS)
            case name if name == GRPC + UNAVAILABLE:
                add(refused.setdefault(revision, {}), UNAVAILABLE, each.value)
            case name if name.startswith(GRPC):
                add(sample, ERRORS, each.value)
    for revision, codes in refused.items():
        # A gRPC request that reaches no pod is both: 503, and UNAVAILABLE.
        add(found[revision][instance], ERRORS, max(codes.values()))
    return found


def _revision(cluster: str, namespace: str) -> str:
    """Return the revision or Service that a cluster's name says, "" if none of ours."""
    named = re.fullmatch(r"([^/_]+)(?:/([^/]+)|_([^/_]+)_\d+)", cluster)
    if named is None or named[1] != namespace:
        return ""
    return named[2] or named[3]
