"""Requests as Istio's proxies count them for whoever sends them, by destination. Pure.

The sender's count is read, so what reaches no pod is in it: its destination is then
known by its Service alone, which Knative calls as the revision.
"""

from collections.abc import Iterable, Sequence

from scripts.rollout.metrics.envoy import GRPC_CODES
from scripts.rollout.metrics.exposition import MS, Series, add, add_bucket
from scripts.rollout.metrics.port import ERRORS, REQUESTS, TIMED, Reading

REQUESTS_TOTAL = "istio_requests_total"
DURATION = "istio_request_duration_milliseconds_"
FAMILIES = (REQUESTS_TOTAL, f"{DURATION}bucket", f"{DURATION}count")
SERVICE = "destination_service_name"


def chosen(namespace: str, revisions: Sequence[str]) -> str:
    """Return the labels of the series that count requests to some revisions."""
    wanted = "|".join(revisions)
    return (
        f'reporter="source",destination_service_namespace="{namespace}",'
        f'{SERVICE}=~"{wanted}"'
    )


def from_istio(series: Iterable[Series], instance: str) -> Reading:
    """Return the requests by revision of one proxy."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for each in series:
        revision = each.labels[SERVICE]
        sample = found.setdefault(revision, {}).setdefault(instance, {})
        if each.name == REQUESTS_TOTAL:
            add(sample, REQUESTS, each.value)
            add(sample, ERRORS, each.value * _is_failure(each))
        elif each.name == f"{DURATION}count":
            add(sample, TIMED, each.value)
        else:
            add_bucket(sample, each, MS)
    return found


def _is_failure(each: Series) -> bool:
    """Return whether the server failed: by HTTP's status, or by gRPC's."""
    over_grpc = each.labels.get("grpc_response_status", "") in GRPC_CODES
    return over_grpc or each.labels["response_code"].startswith("5")
