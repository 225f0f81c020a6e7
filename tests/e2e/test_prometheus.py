"""A Prometheus that scrapes each 15 s, three times as seldom as the script looks."""

import time
from pathlib import Path

import pytest

from scripts.local.processes import free_ports
from scripts.rollout.cluster.client import Cluster
from scripts.rollout.policy.policy import Target
from scripts.rollout.traffic.knative import KnativeTraffic
from tests.support.cluster_stage import RPS, ClusterStage
from tests.support.prometheus import scraping
from tests.support.stage import STABLE, Verdict

EVERY_S = 15
POLICY = """
steps: [50]
dependence: {{clusterSize: 1}}
warmup: {{requests: 5, settle: 5s}}
metrics: [{{name: errors, budget: 2%}}]
deadlines: {{step: 200s, rollout: 230s, metricsSilence: 60s, rollback: 60s}}
source: {{interval: 5s, counts: predictor, prometheus: "http://127.0.0.1:{port}"}}
"""


def _pages(on: ClusterStage, canary: str) -> list[str]:
    """Where the pods themselves count, as a Prometheus in the cluster asks them."""
    inside = Cluster(on.backend.cluster.server, on.backend.cluster.http, is_inside=True)
    inside._account = dict  # type: ignore[method-assign]
    namespace = on.backend.namespace
    target = Target(inferenceservice="intent", namespace=namespace, backend="knative")
    pages = KnativeTraffic(inside, target, "predictor").pages([STABLE, canary])
    return list(pages.predictors) if pages is not None else []


@pytest.mark.timeout(400)
def test_prometheus_at_15_s_finds_a_canary_with_ten_percent_errors(
    on: ClusterStage, tmp_path: Path
) -> None:
    canary = on.fault("failing")
    on.until(on.is_ready)
    on.until(lambda: len(_pages(on, canary)) == 2)
    (port,) = free_ports(1)
    urls, began = _pages(on, canary), time.monotonic()
    with (
        scraping(tmp_path / "prometheus", urls, port, EVERY_S),
        on.users(RPS) as answers,
    ):
        promoter = on.start(POLICY.format(port=port))
        said, _ = promoter.communicate(timeout=280)
    bad = [each for each in answers if each.error]
    counts = time.monotonic() - began, len(bad), len(answers)
    on.noted("Prometheus at 15 s", Verdict(promoter.returncode, said, *counts))
    assert promoter.returncode == 10, said
    assert bad
    assert "errors:" in said
