"""A faulty canary on a real cluster, and a real Prometheus: who is woken, by what."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from tests.monitoring import board
from tests.monitoring.rules import hastened
from tests.monitoring.scraping import discovering, jobs
from tests.support.cluster_stage import RPS, ClusterStage
from tests.support.prometheus import Server, running
from tests.support.stage import COLD
from tests.support.stage import POLICY as SHIPPED

EVERY = "2s"
# Users meet it for a few seconds, as far apart as looks of the default are.
BAD = COLD.replace("interval: 500ms", "interval: 10s").replace(
    "metricsSilence: 3s", "metricsSilence: 20s"
)
# Long enough at each weight to be read a few times.
GOOD = SHIPPED.replace("dwell: 1s", "dwell: 6s").replace(
    "step: 60s, rollout: 90s", "step: 120s, rollout: 180s"
)
EXPECTED = {"IntentCanaryRolledBack", "IntentErrorsFast"}


def _alerts(server: Server) -> dict[str, dict[str, str]]:
    """The labels of each alert that fires now, by its name."""
    found = requests.get(f"{server.url}/api/v1/alerts", timeout=10).json()["data"]
    return {
        each["labels"]["alertname"]: each["labels"]
        for each in found["alerts"]
        if each["state"] == "firing"
    }


def _ever(server: Server) -> set[str]:
    """The names of all alerts that have fired."""
    query = 'count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[1h]))'
    url = f"{server.url}/api/v1/query"
    found = requests.get(url, params={"query": query}, timeout=10).json()["data"]
    return {each["metric"]["alertname"] for each in found["result"]}


@contextmanager
def _watched(on: ClusterStage, folder: Path) -> Iterator[Server]:
    """A Prometheus with the shipped rules reads what the PodMonitors name."""
    folder.mkdir()
    targets = folder / "targets.json"
    config = {
        "global": {"evaluation_interval": EVERY},
        "rule_files": [str(hastened(folder))],
        "scrape_configs": jobs(on.backend.namespace, targets, EVERY),
    }

    def pods() -> list[Any]:
        found = on.backend.kubectl("get", "pods", "-o", "json")
        return list(json.loads(found)["items"])

    with discovering(targets, pods), running(folder, config) as server, on.users(RPS):
        yield server


@pytest.mark.timeout(400)
def test_a_good_canary_fires_nothing_then_a_faulty_one_the_right_alerts_alone(
    on: ClusterStage, tmp_path: Path
) -> None:
    """And every panel of the dashboard shows the good one."""
    good = on.version("v2")
    on.permit()
    with _watched(on, tmp_path / "prometheus") as server:
        began = time.time()
        on.job(GOOD)
        on.until(lambda: on.phase() == "Promoted", 240)
        assert on.percent(good) == 100
        asked = {"start": began, "end": time.time(), "step": 2}
        queries = board.queries(on.backend.namespace, "intent", "20s")
        assert [each for each in queries if not _range(server, each, asked)] == []
        assert _ever(server) == set()
        bad = on.fault("broken")
        on.until(on.is_ready)
        on.job(BAD)
        on.until(lambda: on.phase() == "RolledBack", 120)
        on.until(lambda: on.percent(good) == 100)
        on.until(lambda: set(_alerts(server)) >= EXPECTED, 120)
        assert _ever(server) == EXPECTED
        fired = _alerts(server)
    rolled_back = fired["IntentCanaryRolledBack"]
    whose = rolled_back["target_namespace"], rolled_back["target"]
    assert whose == (on.backend.namespace, "intent")
    assert rolled_back["verdict"] == "rolled_back"
    assert fired["IntentErrorsFast"]["revision"] == bad
    assert fired["IntentErrorsFast"]["inferenceservice"] == "intent"


def _range(server: Server, query: str, times: dict[str, float]) -> list[Any]:
    """The series that have numbers somewhere in these times."""
    asked = urlencode({"query": query, **times})
    url = f"{server.url}/api/v1/query_range?{asked}"
    found = requests.get(url, timeout=20).json()
    assert found["status"] == "success", (query, found)
    return [
        series
        for series in found["data"]["result"]
        if any(value != "NaN" for _, value in series["values"])
    ]
