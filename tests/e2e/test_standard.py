"""Standard mode: by an HTTPRoute's weights; by KServe's own canary not yet."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from scripts.local.processes import ROOT
from tests.e2e import routes
from tests.e2e.images import FAULTS
from tests.e2e.routes import GATEWAY_API, weights
from tests.support.cluster_stage import RPS, ClusterStage
from tests.support.site import REGISTRY, Site, site
from tests.support.stage import POLICY

OWN_CANARY = ROOT / "tests" / "data" / "standard-canary.yaml"

pytestmark = pytest.mark.skipif(
    not GATEWAY_API, reason="GATEWAY_API: no gateway of the Gateway API is named"
)


@pytest.fixture
def on(tmp_path: Path) -> Iterator[ClusterStage]:
    with routes.stage(tmp_path) as built:
        yield built


def test_a_healthy_canary_gets_all_of_the_routes_weight(on: ClusterStage) -> None:
    routes.apply(on.backend)
    verdict = on.noted("healthy, HTTPRoute", on.run(rps=RPS))
    assert verdict.code == 0, verdict.said
    assert weights(on.backend) == [0, 100]
    assert "write these weights into the route's manifest" in verdict.said
    code, said = on.verb("undo", "intent")
    assert code == 0, said
    assert weights(on.backend) == [100, 0]


def test_a_job_has_the_rights_that_manifests_prints_for_a_route(
    on: ClusterStage,
) -> None:
    routes.apply(on.backend)
    with on.users(RPS):
        policy = str(on.policy())
        on.create(on.manifests("intent", "--backend", "gateway", "-f", policy))
        on.until(on.phase)
        code, said = on.verb("status", "intent", "--wait", "--timeout", "100")
    assert code == 0, said
    assert weights(on.backend) == [0, 100]
    logs = on.backend.kubectl("logs", "-l", "app.kubernetes.io/instance=intent")
    assert "forbidden" not in logs


def test_a_failing_one_gets_none(on: ClusterStage) -> None:
    routes.apply(on.backend, FAULTS, "failing")
    verdict = on.noted("every tenth 500, HTTPRoute", on.run(rps=RPS))
    assert verdict.code == 10, verdict.said
    assert weights(on.backend) == [100, 0]


def test_kserves_own_canary_is_refused_where_nothing_is_routed_to_it(
    tmp_path: Path,
) -> None:
    with site(tmp_path, is_restricted=False) as backend:
        text = OWN_CANARY.read_text().replace("dev.local", REGISTRY)
        backend.kubectl("apply", "-f", "-", given=text)
        backend.target = backend.target.replace("knative", "standard")
        on = ClusterStage(backend, tmp_path)
        on.until(partial(_is_reported_ready, backend))
        code, said = on.verb("run", "-f", str(on.policy(POLICY)))
    assert code == 2, said
    assert "use target.backend: gateway (manifests/standard-mode)" in said


def _is_reported_ready(backend: Site) -> bool:
    return any(each.get("ready") for each in backend.status().get("canaryStatuses", ()))
