"""HTTP requests as Knative's queue-proxy counts them. Pure."""

from collections.abc import Iterable

from scripts.rollout.metrics.exposition import MS, Series, add, add_bucket
from scripts.rollout.metrics.port import (
    ERRORS,
    REQUESTS,
    TIMED,
    Reading,
)

# queue-proxy's names: from Knative 1.21 on; of 1.19 and 1.20, whose durations are cut
# to whole seconds (pkg/queue/request_metric.go) and not read; up to 1.18, in ms.
QUEUE = "kn_serving_invocation_duration_seconds_"
QUEUE_119 = "kn_queueproxy_app_duration_seconds_"
QUEUE_118 = "revision_app_request_"
QUEUE_REQUESTS = (f"{QUEUE}count", f"{QUEUE_119}count", f"{QUEUE_118}count")
QUEUE_TIMED = (f"{QUEUE}count", f"{QUEUE_118}latencies_count")
# How many of an edge's unit are a second: seconds today, milliseconds before 1.19.
QUEUE_EDGES = {f"{QUEUE}bucket": 1.0, f"{QUEUE_118}latencies_bucket": MS}
QUEUE_INFO = "target_info"
QUEUE_FAMILIES = {*QUEUE_REQUESTS, *QUEUE_TIMED, *QUEUE_EDGES, QUEUE_INFO}


def from_queue(series: Iterable[Series], instance: str) -> Reading:
    """HTTP requests of the one revision behind a queue-proxy's page."""
    sample: dict[str, float] = {}
    revision = ""
    for each in series:
        labels = each.labels
        revision = labels.get("kn_revision_name", labels.get("revision_name", revision))
        if each.name in QUEUE_REQUESTS:
            code = labels.get("http_response_status_code") or labels["response_code"]
            add(sample, REQUESTS, each.value)
            add(sample, ERRORS, each.value * code.startswith("5"))
        if each.name in QUEUE_TIMED:
            add(sample, TIMED, each.value)
        if each.name in QUEUE_EDGES:
            add_bucket(sample, each, QUEUE_EDGES[each.name])
    return {revision: {instance: sample}} if revision else {}
