"""What is counted, on real processes: a Prometheus that scrapes seldom or twice, a
query that says nothing, a sum that falls, and requests that pass by the route.
"""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from scripts.local.processes import free_ports
from scripts.local.store import Store
from scripts.rollout.policy.policy import Target
from scripts.rollout.traffic.local import LocalTraffic
from tests.faults import models
from tests.faults.pipelines import Failing, Healthy
from tests.support.prometheus import Server, scraping
from tests.support.stage import POLICY, RPS, STABLE, LocalStage, stage

INTENT = Target(inferenceservice="intent")
OWN = """  - name: refused
    promql: {{bad: '{bad}', total: '{total}'}}
    budget: 30%
deadlines:"""

pytestmark = pytest.mark.timeout(300)


def _pages(on: LocalStage, *revisions: str) -> list[str]:
    """Where the predictors of these count, one page each."""
    found: list[str] = []

    def are_there() -> bool:
        traffic = LocalTraffic(Store(on.backend.folder), INTENT, "predictor")
        pages = traffic.pages(revisions)
        found[:] = pages.predictors if pages is not None else ()
        return len(found) == len(revisions)

    on.until(are_there)
    return found


def _policy(port: int, *own: str, interval: str = "1s") -> str:
    source = f"interval: {interval}, prometheus: http://127.0.0.1:{port}"
    text = POLICY.replace("interval: 500ms", f"{source}, counts: predictor")
    text = text.replace("metricsSilence: 3s", "metricsSilence: 20s")
    if own:
        text = text.replace("deadlines:", OWN.format(bad=own[0], total=own[1]))
    return text


@contextmanager
def _canary(
    tmp_path: Path, pipeline: Healthy, *, every_s: int = 1, times: int = 1
) -> Iterator[tuple[LocalStage, str, int]]:
    """A stage with a canary, both scraped by a Prometheus; the canary and its port."""
    (port,) = free_ports(1)
    with stage(tmp_path) as on:
        canary = on.canary(pipeline)
        pages = _pages(on, STABLE, canary) * times
        with scraping(tmp_path / "prometheus", pages, port, every_s):
            yield on, canary, port


def _said(on: LocalStage, kind: str) -> list[str]:
    notes = (note for look in on.records() for note in look["notes"])
    return [note["text"] for note in notes if note["kind"] == kind]


def test_a_prometheus_that_scrapes_each_third_look_finds_ten_percent_errors(
    tmp_path: Path,
) -> None:
    bad = Failing(models.inner(), every=10)
    with _canary(tmp_path, bad, every_s=3) as (on, _, port):
        verdict = on.run(_policy(port))
        looks = [look["seen"]["delta"] for look in on.records()]
    print(verdict)
    assert verdict.code == 10, verdict.said
    assert "errors:" in verdict.said
    assert any(delta["is_carried"] for delta in looks if delta)


def test_pods_that_two_jobs_scrape_count_once_and_that_is_said_once(
    tmp_path: Path,
) -> None:
    with _canary(tmp_path, Healthy(models.inner()), times=2) as (on, canary, port):
        verdict = on.run(_policy(port))
        looks = [look["seen"]["delta"] for look in on.records()]
        said = _said(on, "noData")
    assert verdict.code == 0, verdict.said
    (doubt,) = said
    assert doubt.startswith("predictor series come 2 times a pod, by job")
    counted = [delta["metrics"]["errors"] for delta in looks if delta]
    assert sum(row[1] + row[3] for row in counted) <= verdict.answers
    assert canary in verdict.said


def test_a_query_that_says_nan_gives_no_user_to_the_canary_and_is_named_once(
    tmp_path: Path,
) -> None:
    each = 'sum by (instance) (intent_requests_total{{revision="{{revision}}"}})'
    own = each.format(), f"{each.format()} * NaN"
    with _canary(tmp_path, Healthy(models.inner())) as (on, canary, port):
        short = _policy(port, *own).replace("rollout: 90s", "rollout: 30s")
        verdict = on.run(short.replace("step: 60s", "step: 25s"))
        said = _said(on, "noData")
        assert on.percent(canary) == 0
    assert verdict.code == 20, verdict.said
    assert "outcomes of the stable for refused" in verdict.said
    (doubt,) = said
    assert doubt.startswith("refused: no data: NaN or Inf, from sum by (instance)")


def test_a_sum_that_falls_because_a_pod_went_rolls_nothing_back(
    tmp_path: Path, httpserver: HTTPServer
) -> None:
    """Two pods of the canary had many bad outcomes before; one goes at 10 %."""
    began, gone = time.monotonic(), threading.Event()

    def page(request: Request) -> Response:
        if request.path == "/second" and gone.is_set():
            return Response(status=503)
        n = 20 * (time.monotonic() - began)
        bad, revision = (0, STABLE) if request.path == "/stable" else (50_000, canary)
        lines = (
            f'own_total{{revision="{revision}"}} {90_000 + n}',
            f'own_bad{{revision="{revision}"}} {bad}',
        )
        return Response("\n".join([*lines, ""]), content_type="text/plain")

    paths = "/first", "/second", "/stable"
    for path in paths:
        httpserver.expect_request(path).respond_with_handler(page)
    own = [f'sum({n}{{revision="{{revision}}"}})' for n in ("own_bad", "own_total")]
    (port,) = free_ports(1)
    with stage(tmp_path) as on, on.users():
        canary = on.canary(Healthy(models.inner()))
        urls = [*_pages(on, STABLE, canary), *map(httpserver.url_for, paths)]
        with scraping(tmp_path / "prometheus", urls, port) as server:
            promoter = on.start(_policy(port, *own).replace("dwell: 1s", "dwell: 15s"))
            on.until(lambda: on.percent(canary) == 10)
            query = own[1].replace("{revision}", canary)
            before = _value(server, query)
            gone.set()
            on.until(lambda: _value(server, query) < before)
            said, _ = promoter.communicate(timeout=120)
    assert promoter.returncode == 0, said
    assert "rolled back" not in said


def _value(server: Server, query: str) -> float:
    answer = requests.get(f"{server.url}/api/v1/query", {"query": query}, timeout=5)
    rows = answer.json()["data"]["result"]
    return float(rows[0]["value"][1]) if rows else 0.0


@contextmanager
def _past_the_route(door: str) -> Iterator[None]:
    """Several times the requests that users send, straight to one predictor."""
    ended = threading.Event()

    def work() -> None:
        with requests.Session() as session:
            while not ended.wait(1 / RPS):
                session.post(f"{door}/predict", json={"text": "hello"}, timeout=10)

    with ThreadPoolExecutor(4) as pool:
        sending = [pool.submit(work) for _ in range(4)]
        try:
            yield
        finally:
            ended.set()
    for each in sending:
        each.result()


def test_a_second_route_to_the_canary_holds_the_raise_until_it_is_gone(
    tmp_path: Path,
) -> None:
    policy = POLICY.replace("500ms}", "500ms, counts: predictor}")
    policy = policy.replace("[10, 50]", "[50]").replace("dwell: 1s", "dwell: 40s")
    policy = policy.replace("step: 60s, rollout: 90s", "step: 200s, rollout: 260s")
    policy = policy.replace("predicted_label,", "predicted_label, mode: observe,")
    with stage(tmp_path) as on, on.users():
        canary = on.canary(Healthy(models.inner()))
        (page,) = _pages(on, canary)
        promoter = on.start(policy)
        on.until(lambda: on.percent(canary) == 50)
        with _past_the_route(page.removesuffix("/metrics")):
            on.until(lambda: _said(on, "splitMoved"))
            _, shown = on.verb("explain", "intent")
            assert on.percent(canary) == 50
        said, _ = promoter.communicate(timeout=120)
    assert promoter.returncode == 0, said
    assert "50.00% is set; likely a replica of the stable that is not scraped" in shown
    assert "the counted split is the one that is set again" in said
