"""Counters that start anew, pods that come and go, and which series says what."""

import math

import pytest

from scripts.rollout.metrics import queue_proxy
from scripts.rollout.metrics.counters import delta
from scripts.rollout.metrics.envoy import from_proxy
from scripts.rollout.metrics.exposition import Series, parse
from scripts.rollout.metrics.port import Reading, merge
from scripts.rollout.metrics.predictor import PREDICTOR_FAMILIES, from_predictor
from scripts.rollout.metrics.queue_proxy import from_queue
from scripts.rollout.state.observation import Delta
from tests.support.worlds import policy

ARMS = ("canary", "stable")
PAGE = """# HELP intent_requests_total Requests answered.
# TYPE intent_requests_total counter
intent_requests_total{code="INTERNAL",protocol="grpc",revision="r-2"} 1.0
intent_requests_total{code="INVALID_ARGUMENT",protocol="grpc",revision="r-2"} 5.0
intent_requests_total{code="OK",protocol="grpc",revision="r-2"} 4.0
intent_requests_total{code="500",protocol="v2",revision="r-2"} 7.0
intent_predictions_total{label="a \\"b\\" {c}",revision="r-2"} 3.0
intent_request_duration_seconds_bucket{le="0.25",protocol="grpc",revision="r-2"} 8.0
intent_request_duration_seconds_bucket{le="+Inf",protocol="grpc",revision="r-2"} 10.0
intent_request_duration_seconds_count{protocol="grpc",revision="r-2"} 10.0
process_start_time_seconds 1.7e+09
something_else{x="y"} NaN
"""


def _gain(before: Reading, now: Reading, since: float = 100.0) -> Delta:
    return delta(policy(), before, now, since=since, arms=ARMS)


def _errors(before: Reading, now: Reading, since: float = 100.0) -> tuple[float, ...]:
    return _gain(before, now, since).metrics["errors"]


def _arm(**instances: tuple[float, float]) -> dict[str, dict[str, float]]:
    return {
        name: {"errors": bad, "requests": n} for name, (bad, n) in instances.items()
    }


def test_the_gain_is_the_sum_over_instances() -> None:
    before = {"canary": _arm(a=(1, 10), b=(0, 5)), "stable": _arm(c=(2, 100))}
    now = {"canary": _arm(a=(2, 15), b=(0, 9)), "stable": _arm(c=(2, 130))}
    assert _errors(before, now) == (1, 9, 0, 30)


def test_a_counter_that_fell_counts_from_zero() -> None:
    before = {"canary": _arm(a=(9, 100))}
    assert _errors(before, {"canary": _arm(a=(2, 7))}) == (2, 7, 0, 0)


def test_a_histogram_that_was_forgotten_starts_anew_and_the_counters_do_not() -> None:
    before = {"canary": {"a": {"requests": 100.0, "timed": 100.0, "le:0.25": 50.0}}}
    now = {"canary": {"a": {"requests": 180.0, "timed": 80.0, "le:0.25": 60.0}}}
    gained = _gain(before, now).metrics
    assert gained["errors"][:2] == (0, 80)
    assert gained["latency"][:2] == (20, 80)


def test_a_vanished_instance_adds_nothing_and_is_not_counted_twice_later() -> None:
    first = {"canary": _arm(a=(1, 10), b=(1, 10))}
    second = {"canary": _arm(a=(1, 12))}
    assert _errors(first, second) == (0, 2, 0, 0)
    third = {"canary": _arm(a=(1, 12), b=(1, 15))}
    assert _errors(merge(first, second), third) == (0, 5, 0, 0)


def test_an_instance_that_is_only_now_seen_is_no_news_unless_it_is_new() -> None:
    old = {"canary": {"a": {"errors": 3.0, "requests": 50.0, "started": 90.0}}}
    new = {"canary": {"a": {"errors": 3.0, "requests": 50.0, "started": 110.0}}}
    assert _errors({}, old) == (0, 0, 0, 0)
    assert _errors({}, new) == (3, 50, 0, 0)
    assert _errors({}, new, since=math.inf) == (0, 0, 0, 0)


@pytest.mark.parametrize(("slo", "bad"), [("250ms", 3), ("400ms", 3), ("500ms", 1)])
def test_latency_takes_the_next_edge_that_is_not_above_the_objective(
    slo: str, bad: int
) -> None:
    sample = {"timed": 10.0, "le:0.1": 5.0, "le:0.25": 7.0, "le:0.5": 9.0}
    one = "[{name: errors, budget: 1%}, {name: latency, slo: SLO, budget: 1%}]"
    chosen = policy(metrics=one.replace("SLO", slo))
    empty = {"canary": {"a": dict.fromkeys(sample, 0.0)}}
    found = delta(chosen, empty, {"canary": {"a": sample}}, since=1, arms=ARMS)
    assert found.metrics["latency"][:2] == (bad, 10)


def test_labels_are_counted_in_both_arms() -> None:
    before = {"canary": {"a": {"label:x": 1.0}}, "stable": {"b": {"label:y": 4.0}}}
    now = {"canary": {"a": {"label:x": 4.0}}, "stable": {"b": {"label:y": 9.0}}}
    assert _gain(before, now).labels == {"x": (3, 0), "y": (0, 5)}


def test_one_500_and_one_grpc_internal_count_one_each() -> None:
    """HTTP by the proxy alone, gRPC by the predictor alone."""
    predictor = from_predictor(parse(PAGE, PREDICTOR_FAMILIES), "pod")
    labels = {"envoy_cluster_name": "default/r-2"}
    proxy = from_proxy(
        [
            Series("envoy_cluster_upstream_rq_completed", labels, 20.0),
            Series(
                "envoy_cluster_upstream_rq_xx",
                {**labels, "envoy_response_code_class": "5"},
                1.0,
            ),
            Series(
                "envoy_cluster_upstream_rq_xx",
                {**labels, "envoy_response_code_class": "4"},
                6.0,
            ),
        ],
        "default",
        "gateway",
    )
    now = {"canary": merge(predictor, proxy)["r-2"]}
    zero: Reading = {"canary": {name: {} for name in now["canary"]}}
    assert _errors(zero, now) == (2, 30, 0, 0)


def test_a_predictor_counts_http_where_nobody_does_before_it() -> None:
    lines = list(parse(PAGE, PREDICTOR_FAMILIES))
    sample = from_predictor(lines, "pod", with_http=True)["r-2"]["pod"]
    assert (sample["requests"], sample["errors"]) == (17, 8)


NEWEST = """
kn_serving_invocation_duration_seconds_bucket{le="0.25",http_response_status_code=""} 8
kn_serving_invocation_duration_seconds_count{http_response_status_code="200"} 8
kn_serving_invocation_duration_seconds_count{http_response_status_code="500"} 2
target_info{kn_revision_name="r-2",service_name="queue"} 1
"""
MIDDLE = """
kn_queueproxy_app_duration_seconds_bucket{le="0.25",http_response_status_code=""} 9
kn_queueproxy_app_duration_seconds_count{http_response_status_code="200"} 8
kn_queueproxy_app_duration_seconds_count{http_response_status_code="500"} 2
target_info{kn_revision_name="r-2"} 1
"""
OLDEST = """
revision_app_request_count{response_code="200",revision_name="r-2"} 8
revision_app_request_count{response_code="500",revision_name="r-2"} 2
revision_app_request_latencies_bucket{revision_name="r-2",le="250"} 8
revision_app_request_latencies_count{revision_name="r-2"} 10
"""
COUNTED = {"requests": 10, "errors": 2}
TIMED = {"timed": 10, "le:0.25": 8}


@pytest.mark.parametrize(
    ("page", "sample"),
    [(NEWEST, COUNTED | TIMED), (MIDDLE, COUNTED), (OLDEST, COUNTED | TIMED)],
    ids=["from 1.21", "1.19 and 1.20, which cut times to seconds", "to 1.18, in ms"],
)
def test_queue_proxy_is_read_under_all_its_names(
    page: str, sample: dict[str, float]
) -> None:
    found = from_queue(parse(page, queue_proxy.QUEUE_FAMILIES), "pod")
    assert found == {"r-2": {"pod": sample}}


def test_a_page_is_read_as_prometheus_writes_it() -> None:
    sample = from_predictor(parse(PAGE, PREDICTOR_FAMILIES), "pod")["r-2"]["pod"]
    assert sample == {
        "requests": 10,
        "errors": 1,
        "timed": 10,
        "le:0.25": 8,
        'label:a "b" {c}': 3,
        "started": 1.7e9,
    }


def test_a_request_that_had_to_be_sent_again_is_bad_and_a_timeout_is_slow() -> None:
    labels = {"envoy_cluster_name": "default/r-2"}
    found = from_proxy(
        [
            Series("envoy_cluster_upstream_rq_completed", labels, 10.0),
            Series("envoy_cluster_upstream_rq_retry", labels, 2.0),
            Series("envoy_cluster_upstream_rq_timeout", labels, 1.0),
            Series("envoy_cluster_upstream_rq_time_count", labels, 9.0),
            Series("envoy_cluster_upstream_rq_time_bucket", {**labels, "le": "250"}, 8),
        ],
        "default",
        "gateway",
    )
    sample = {"requests": 12, "errors": 2, "timeouts": 1, "timed": 9, "le:0.25": 8}
    assert found == {"r-2": {"gateway": sample}}
    zero: Reading = {"r-2": {"gateway": {}}}
    gained = delta(policy(), zero, found, since=0, arms=("r-2", "r-1"))
    assert gained.metrics["latency"][:2] == (2, 10)


@pytest.mark.parametrize(
    "cluster", ["tag/default/r-2", "stand-in/default/r-2", "x/r-2"]
)
def test_other_ways_to_a_revision_are_no_evidence(cluster: str) -> None:
    labels = {"envoy_cluster_name": cluster}
    found = [Series("envoy_cluster_upstream_rq_completed", labels, 10.0)]
    assert from_proxy(found, "default", "gateway") == {}
