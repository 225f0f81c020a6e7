"""Metrics that vanish for a minute: traffic is held, nothing is decided meanwhile."""

import time
from pathlib import Path

import pytest

from scripts.local.processes import free_ports
from scripts.local.store import Store
from scripts.rollout.policy.policy import Target
from scripts.rollout.traffic.local import LocalTraffic
from tests.faults import models
from tests.faults.pipelines import Failing, Healthy
from tests.support.prometheus import scraping
from tests.support.stage import POLICY, STABLE, LocalStage, stage

INTENT = Target(inferenceservice="intent")

pytestmark = pytest.mark.timeout(300)

GONE_S = 20.0  # seconds, of which three are silence
OWN = """  - name: refused
    promql:
      bad: sum(intent_requests_total{revision="{revision}", code=~"5.."})
      total: sum(intent_requests_total{revision="{revision}"})
    budget: 4%
    weight: 30
"""


def _pages(on: LocalStage, canary: str) -> list[str]:
    traffic = LocalTraffic(Store(on.backend.folder), INTENT, "gateway")
    pages = traffic.pages((STABLE, canary))
    assert pages is not None
    return [*pages.gateways, *pages.predictors]


def test_prometheus_gone_for_a_while_holds_traffic_and_then_it_goes_on(
    tmp_path: Path,
) -> None:
    (port,) = free_ports(1)
    source = f"{{interval: 500ms, prometheus: http://127.0.0.1:{port}}}"
    policy = POLICY.replace("{interval: 500ms}", source)
    policy = policy.replace("rollout: 90s", "rollout: 200s")
    with stage(tmp_path) as on, on.users():
        canary = on.canary(Healthy(models.inner()))
        on.until(lambda: len(_pages(on, canary)) == 3)
        with scraping(tmp_path / "prometheus", _pages(on, canary), port):
            promoter = on.start(policy)
            on.until(lambda: on.percent(canary) == 10)
        began = time.monotonic()
        while time.monotonic() < began + GONE_S:
            assert on.percent(canary) == 10
            time.sleep(1)
        notes = [note["text"] for look in on.records() for note in look["notes"]]
        assert "traffic is held at 10 %" in notes[-1]
        assert on.records()[-1]["seen"]["delta"] is None
        with scraping(tmp_path / "prometheus", _pages(on, canary), port):
            said, _ = promoter.communicate(timeout=120)
    assert promoter.returncode == 0, said
    assert "10 % -> 50 % on evidence" in said


def test_a_metric_of_ones_own_in_promql_rolls_back(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    source = f"{{interval: 1s, prometheus: http://127.0.0.1:{port}}}"
    policy = POLICY.replace("{interval: 500ms}", source)
    policy = policy.replace("deadlines:", f"{OWN}deadlines:")
    policy = policy.replace("errors, budget: 4%,", "errors, budget: 4%, mode: observe,")
    with stage(tmp_path) as on:
        canary = on.canary(Failing(models.inner(), every=8))
        on.until(lambda: len(_pages(on, canary)) == 3)
        with scraping(tmp_path / "prometheus", _pages(on, canary), port):
            verdict = on.run(policy)
    assert verdict.code == 10, verdict.said
    assert "refused: 1" in verdict.said
