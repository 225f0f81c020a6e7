"""Counters of a real cluster, direct and by a real Prometheus: the same numbers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.rollout.cluster.client import Cluster
from scripts.rollout.errors import Unreachable
from scripts.rollout.metrics.port import Metrics
from scripts.rollout.metrics.prometheus.server import Prometheus
from scripts.rollout.metrics.scrape import Scrape
from scripts.rollout.policy.policy import Target
from scripts.rollout.policy.prometheus import PrometheusServer
from scripts.rollout.traffic.knative import KnativeTraffic
from tests.support.backends import answered
from tests.support.cluster_stage import ClusterStage, stage
from tests.support.prometheus import scraping
from tests.support.stage import STABLE


def _sums(metrics: Metrics, *revisions: str) -> dict[str, dict[str, float]]:
    """By revision, over its instances; when a process started is no counter."""
    found: dict[str, dict[str, float]] = {}
    try:
        reading = metrics.read(revisions).reading
    except Unreachable:
        return found
    for revision, instances in reading.items():
        total = found.setdefault(revision, {})
        for sample in instances.values():
            for name, value in sample.items():
                if name not in ("started", "at"):
                    total[name] = total.get(name, 0.0) + value
    return found


@pytest.fixture(scope="module")
def on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterStage]:
    """Sixty requests, to both."""
    with stage(tmp_path_factory.mktemp("metrics")) as built:
        canary = built.version("v2", 30)
        built.until(lambda: built.percent(canary) == 30)
        assert set(answered(built.backend, count=60)) == {"1", "2"}
        yield built


@pytest.mark.parametrize("counts", ["gateway", "queue-proxy", "predictor"])
def test_prometheus_says_what_the_pages_say(
    on: ClusterStage, tmp_path: Path, counts: str
) -> None:
    canary, namespace = on.newest(), on.backend.namespace
    target = Target(inferenceservice="intent", namespace=namespace, backend="knative")
    outside = KnativeTraffic(on.backend.cluster, target, counts)
    direct = Scrape(namespace, outside.pages, http=on.backend.cluster.http)
    inside = Cluster(on.backend.cluster.server, on.backend.cluster.http, is_inside=True)
    inside._account = dict  # type: ignore[method-assign]
    pages = KnativeTraffic(inside, target, counts).pages([STABLE, canary])
    assert pages is not None
    urls = [*pages.gateways, *pages.queues, *pages.predictors]
    with scraping(tmp_path / "prometheus", urls) as server:
        prometheus = Prometheus(PrometheusServer(url=server.url), namespace, counts)

        def agree() -> bool:
            expected = _sums(direct, STABLE, canary)
            found = _sums(prometheus, STABLE, canary)
            return found == expected

        on.until(agree, seconds=40)
        found = _sums(prometheus, STABLE, canary)
    requests = {name: each["requests"] for name, each in found.items()}
    # Kourier's own probes of a new route pass through Envoy, and count there.
    assert sum(requests.values()) == 60 or counts == "gateway"
    assert sum(requests.values()) >= 60
    assert requests[canary] > 0
    assert {each["errors"] for each in found.values()} == {0}
