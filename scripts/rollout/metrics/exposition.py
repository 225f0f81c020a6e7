"""Which series say what: one source for each metric and protocol. Pure.

HTTP is counted by the gateway's Envoy: a 5xx, a timeout or a refused connection counts
there although the predictor never saw it; elsewhere by Knative's queue-proxy, or by the
predictor. gRPC is counted by the predictor: its errors travel in trailers, which no
proxy reads. Labels only the predictor knows.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlencode

from scripts.rollout.loop.world import Reading
from scripts.rollout.metrics.counters import (
    CONFIDENCE,
    ERRORS,
    LABEL,
    REQUESTS,
    STARTED,
    TIMED,
    TIMEOUTS,
    UP_TO,
)

MS, KEPT = 1000.0, 2048
PROXY = "envoy_cluster_upstream_rq_"
PROXY_FAMILIES = ("completed", "retry", "timeout", "xx", "time_bucket", "time_count")
# What of Envoy's statistics is asked for: requests by cluster, and nothing else.
PROXY_PATTERN = r"^cluster\.[^.]*\.upstream_rq_(completed|retry|timeout|time|[45]xx)$"
PROXY_PAGE = f"/stats/prometheus?{urlencode({'filter': PROXY_PATTERN})}"
PREDICTOR_FAMILIES = (
    "intent_requests_total",
    "intent_request_duration_seconds_bucket",
    "intent_request_duration_seconds_count",
    "intent_predictions_total",
    "intent_confidence_bucket",
    "process_start_time_seconds",
)
# queue-proxy's names: from Knative 1.21 on; of 1.19 and 1.20, whose durations are cut
# to whole seconds (pkg/queue/request_metric.go) and not read; up to 1.18, in ms.
QUEUE = "kn_serving_invocation_duration_seconds_"
QUEUE_119 = "kn_queueproxy_app_duration_seconds_"
QUEUE_118 = "revision_app_request_"
QUEUE_REQUESTS = (f"{QUEUE}count", f"{QUEUE_119}count", f"{QUEUE_118}count")
QUEUE_TIMED = (f"{QUEUE}count", f"{QUEUE_118}latencies_count")
QUEUE_EDGES = {f"{QUEUE}bucket": 1.0, f"{QUEUE_118}latencies_bucket": MS}
QUEUE_INFO = "target_info"
QUEUE_FAMILIES = {*QUEUE_REQUESTS, *QUEUE_TIMED, *QUEUE_EDGES, QUEUE_INFO}
# gRPC codes that are the server's doing; the others are the caller's.
OURS = ("UNKNOWN", "DEADLINE_EXCEEDED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS")
LINE = re.compile(r"^([a-z_]+)(?:\{(.*)\})? (\S+)", re.MULTILINE)
PAIR = re.compile(r'([a-zA-Z_]+)="((?:[^"\\]|\\.)*)"')
ESCAPED = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


class Series(NamedTuple):
    """One line of a metrics page."""

    name: str
    labels: Mapping[str, str]
    value: float


def parse(page: str, families: Iterable[str]) -> Iterator[Series]:
    """The series of these families in a page of the Prometheus text format."""
    wanted = frozenset(families)
    for name, labels, value in LINE.findall(page):
        if name in wanted:
            yield Series(name, _pairs(labels), float(value))


@lru_cache(KEPT)
def _pairs(labels: str) -> Mapping[str, str]:
    """Labels by name; a page has the same ones at every look, and so have replicas."""
    return {key: _plain(text) for key, text in PAIR.findall(labels)}


def _plain(text: str) -> str:
    if "\\" not in text:
        return text
    return re.sub(r"\\.", lambda match: ESCAPED.get(match[0], match[0]), text)


def proxy_names() -> list[str]:
    """Names of the proxy's families."""
    return [PROXY + name for name in PROXY_FAMILIES]


def from_proxy(series: Iterable[Series], namespace: str, instance: str) -> Reading:
    """HTTP requests by revision; a request that had to be sent again counts as bad."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for each in series:
        space, _, revision = each.labels["envoy_cluster_name"].partition("/")
        if space != namespace:
            continue
        sample = found.setdefault(revision, {}).setdefault(instance, {})
        match each.name.removeprefix(PROXY):
            case "completed":
                _add(sample, REQUESTS, each.value)
            case "retry":
                _add(sample, REQUESTS, each.value)
                _add(sample, ERRORS, each.value)
            case "xx" if each.labels["envoy_response_code_class"] == "5":
                _add(sample, ERRORS, each.value)
            case "timeout":
                _add(sample, TIMEOUTS, each.value)
            case "time_count":
                _add(sample, TIMED, each.value)
            case "time_bucket":
                _up_to(sample, each, MS)
    return found


def from_queue(series: Iterable[Series], instance: str) -> Reading:
    """HTTP requests of the one revision behind a queue-proxy's page."""
    sample: dict[str, float] = {}
    revision = ""
    for each in series:
        labels = each.labels
        revision = labels.get("kn_revision_name", labels.get("revision_name", revision))
        if each.name in QUEUE_REQUESTS:
            code = labels.get("http_response_status_code") or labels["response_code"]
            _add(sample, REQUESTS, each.value)
            _add(sample, ERRORS, each.value * code.startswith("5"))
        if each.name in QUEUE_TIMED:
            _add(sample, TIMED, each.value)
        if each.name in QUEUE_EDGES:
            _up_to(sample, each, QUEUE_EDGES[each.name])
    return {revision: {instance: sample}} if revision else {}


def from_predictor(
    series: Iterable[Series], instance: str, *, with_http: bool = False
) -> Reading:
    """gRPC requests and predicted labels, of the one revision behind a page.

    `with_http` counts HTTP too, for where nobody does before the predictor.
    """
    sample: dict[str, float] = {}
    revision = ""
    for each in series:
        revision = each.labels.get("revision", revision)
        match each.name:
            case "process_start_time_seconds":
                sample[STARTED] = each.value
            case "intent_predictions_total":
                _add(sample, LABEL + each.labels["label"], each.value)
            case "intent_confidence_bucket":
                _add(sample, f"{CONFIDENCE}{float(each.labels['le']):g}", each.value)
            case _ if each.labels["protocol"] != "grpc" and not with_http:
                pass
            case "intent_requests_total":
                code = each.labels["code"]
                _add(sample, REQUESTS, each.value)
                _add(sample, ERRORS, each.value * (code[0] == "5" or code in OURS))
            case "intent_request_duration_seconds_count":
                _add(sample, TIMED, each.value)
            case "intent_request_duration_seconds_bucket":
                _up_to(sample, each, 1.0)
    return {revision: {instance: sample}} if revision else {}


def _add(sample: dict[str, float], name: str, value: float) -> None:
    sample[name] = sample.get(name, 0.0) + value


def _up_to(sample: dict[str, float], each: Series, scale: float) -> None:
    edge = float(each.labels["le"]) / scale
    if edge != float("inf"):
        _add(sample, f"{UP_TO}{edge:g}", each.value)
