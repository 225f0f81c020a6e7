"""Metrics pages of a simulation's pods, as Envoy, queue-proxy and predictors have."""

from collections.abc import Iterator

from scripts.rollout.metrics.envoy import PROXY
from scripts.rollout.metrics.queue_proxy import QUEUE
from tests.simulation.clock import EPOCH
from tests.simulation.users import Counted, Pod


def gateway(pod: Pod) -> str:
    """Return Envoy's statistics: requests by revision."""
    return "".join(line for each in pod.counted.items() for line in _proxied(*each))


def _proxied(revision: str, counted: Counted) -> Iterator[str]:
    name = f'envoy_cluster_name="default/{revision}"'
    fast = counted.n - counted.slow
    yield f"{PROXY}completed{{{name}}} {counted.n}\n"
    yield f'{PROXY}xx{{envoy_response_code_class="5",{name}}} {counted.bad}\n'
    yield f'{PROXY}time_bucket{{{name},le="250"}} {fast}\n'
    yield f'{PROXY}time_bucket{{{name},le="+Inf"}} {counted.n}\n'
    yield f"{PROXY}time_count{{{name}}} {counted.n}\n"


def queue(pod: Pod) -> str:
    """Return queue-proxy's metrics: requests of its one revision."""
    counted = pod.of(pod.revision)
    name = f'kn_revision_name="{pod.revision}"'
    code = "http_response_status_code"
    return (
        f'{QUEUE}count{{{name},{code}="200"}} {counted.n - counted.bad}\n'
        f'{QUEUE}count{{{name},{code}="503"}} {counted.bad}\n'
        f'{QUEUE}bucket{{{name},{code}="200",le="0.25"}} {counted.n - counted.slow}\n'
        f'{QUEUE}bucket{{{name},{code}="200",le="+Inf"}} {counted.n}\n'
    )


def predictor(pod: Pod) -> str:
    """Return the predictor's own page."""
    counted = pod.of(pod.revision)
    name = f'revision="{pod.revision}",protocol="v2"'
    fast = counted.n - counted.slow
    took = "intent_request_duration_seconds"
    return (
        f"process_start_time_seconds {EPOCH + pod.started}\n"
        f'intent_requests_total{{{name},code="200"}} {counted.n - counted.bad}\n'
        f'intent_requests_total{{{name},code="500"}} {counted.bad}\n'
        f'{took}_bucket{{{name},le="0.25"}} {fast}\n'
        f'{took}_bucket{{{name},le="+Inf"}} {counted.n}\n'
        f"{took}_count{{{name}}} {counted.n}\n"
    )
