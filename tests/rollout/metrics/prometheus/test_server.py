"""Metrics from a Prometheus server: as it answered once, and a real one."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from scripts.local.processes import ROOT, free_ports
from scripts.rollout.errors import Unreachable
from scripts.rollout.metrics.port import Metrics, Pages, Reading
from scripts.rollout.metrics.prometheus.server import Prometheus
from scripts.rollout.metrics.scrape import Scrape
from scripts.rollout.policy.prometheus import PrometheusServer
from tests.support.pages import Page
from tests.support.prometheus import scraping
from tests.support.waiting import until

RECORDED = json.loads((ROOT / "tests" / "data" / "prometheus_answers.json").read_text())
SHOWN = {"r-1": 5, "r-2": 6}
ARMS = tuple(SHOWN)
TIMES = ("started", "at")
GATEWAY = "\n".join(
    f'envoy_cluster_upstream_rq_{name}{{envoy_cluster_name="{cluster}"{more}}} {value}'
    for cluster, scale in (
        ("default/r-1", 1),
        ("default/r-2", 2),
        ("tag/default/r-2", 9),
    )
    for name, more, value in (
        ("completed", "", 100 * scale),
        ("retry", "", scale),
        ("timeout", "", 0),
        ("xx", ',envoy_response_code_class="5"', 3 * scale),
        ("xx", ',envoy_response_code_class="4"', 7 * scale),
        ("time_bucket", ',le="250"', 90 * scale),
        ("time_bucket", ',le="+Inf"', 100 * scale),
        ("time_count", "", 100 * scale),
    )
)


def _page(revision: str, label: int) -> str:
    rest = f'revision="{revision}",protocol="grpc"'
    return (
        f'intent_predictions_total{{label="hello",revision="{revision}"}} {label}\n'
        f'intent_requests_total{{code="INTERNAL",{rest}}} 2\n'
        f'intent_requests_total{{code="OK",{rest}}} 8\n'
        f'intent_requests_total{{code="500",revision="{revision}",protocol="v2"}} 5\n'
    )


def _bare(reading: Any) -> Any:
    """A reading without the names of its instances, and its times."""
    return {
        revision: sorted(
            sorted(each for each in sample.items() if each[0] not in TIMES)
            for sample in samples.values()
        )
        for revision, samples in reading.items()
    }


def _now(metrics: Metrics) -> Any:
    try:
        return _bare(metrics.read(ARMS).reading)
    except Unreachable:
        return {}


def _through(last: float, past: list[tuple[float, Reading]]) -> list[float]:
    """What `label:hello` was over time; nothing while it does not end in `last`."""
    labels = [
        sample["label:hello"]
        for _, reading in past
        for sample in reading["r-1"].values()
        if "label:hello" in sample
    ]
    return labels if labels[-1:] == [last] else []


def _recorded(kind: str) -> str:
    return json.dumps(RECORDED[kind])


def _answering(httpserver: HTTPServer, text: str, counts: str) -> Prometheus:
    """A Prometheus that gives one answer to everything."""
    httpserver.expect_request(re.compile("/api/v1/.*")).respond_with_data(text)
    return Prometheus(
        PrometheusServer(url=httpserver.url_for("").rstrip("/")), "default", counts
    )


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("error", "parse error: unexpected left brace"),
        ("html", "HTTP 200, and no answer of a Prometheus"),
        ("empty", "no series of r-1 or r-2"),
    ],
)
def test_what_is_no_answer_is_told_with_its_address_and_reason(
    httpserver: HTTPServer, kind: str, said: str
) -> None:
    text = "<html>" if kind == "html" else _recorded(kind)
    server = _answering(httpserver, text, "gateway")
    with pytest.raises(Unreachable, match=f"127.0.0.1:{httpserver.port}: .*{said}"):
        server.read(ARMS)


@pytest.mark.parametrize("status", [401, 503])
def test_who_refuses_is_told_with_the_status(
    httpserver: HTTPServer, status: int
) -> None:
    httpserver.expect_request("/api/v1/query").respond_with_data("no", status=status)
    server = Prometheus(
        PrometheusServer(url=httpserver.url_for("")), "default", "gateway"
    )
    with pytest.raises(Unreachable, match=f"HTTP {status}"):
        server.read(ARMS)


def test_an_error_is_told_where_history_is_wanted(httpserver: HTTPServer) -> None:
    server = _answering(httpserver, _recorded("error"), "gateway")
    with pytest.raises(Unreachable, match="parse error"):
        server.history("r-1", 60, 10)


def test_a_recorded_answer_is_one_sample_an_instance(httpserver: HTTPServer) -> None:
    found = _answering(httpserver, _recorded("predictors"), "grpc").read(ARMS)
    assert _bare(found.reading) == {
        "r-1": [[("errors", 2), ("label:hello", 5), ("requests", 10)]],
        "r-2": [[("errors", 2), ("label:hello", 6), ("requests", 10)]],
    }


def test_a_server_that_is_away_is_told_with_its_address() -> None:
    (port,) = free_ports(1)
    server = Prometheus(
        PrometheusServer(url=f"http://127.0.0.1:{port}"), "default", "gateway"
    )
    with pytest.raises(Unreachable, match=f"127.0.0.1:{port}: Connection refused$"):
        server.read(ARMS)


def test_a_real_one_says_what_the_pages_say_now_and_before(
    tmp_path: Path, httpserver: HTTPServer
) -> None:
    gateway = Page(httpserver, "gateway", f"{GATEWAY}\n")
    one, two = (Page(httpserver, name, _page(name, n)) for name, n in SHOWN.items())
    with scraping(tmp_path, [gateway.url, one.url, two.url]) as server:
        pages = Pages((gateway.url,), predictors=(one.url, two.url))
        direct = _now(Scrape("default", lambda _: pages))
        prometheus = Prometheus(PrometheusServer(url=server.url), "default", "gateway")
        until(lambda: _now(prometheus) == direct)
        began = time.time()
        read = prometheus.read(ARMS).reading
        scraped = [each["at"] for pods in read.values() for each in pods.values()]
        assert all(began - 5 < at < time.time() for at in scraped)
        assert len(set(scraped)) > 1, "each target has its own times"
        one.text = _page("r-1", 50)
        labels = until(lambda: _through(50, prometheus.history("r-1", 30, 1)))
    assert labels[0] == 5
    assert labels == sorted(labels)
