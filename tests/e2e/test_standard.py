"""Standard mode: by an HTTPRoute's weights; by KServe's own canary not yet."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml

from scripts.local.processes import ROOT
from scripts.rollout.traffic.routes.httproute import route_path
from tests.e2e.images import FAULTS
from tests.support.backends import serves
from tests.support.cluster_stage import RPS, ClusterStage
from tests.support.site import REGISTRY, Site, site
from tests.support.stage import POLICY

GATEWAY_API = os.environ.get("GATEWAY_API", "")
STANDARD = ROOT / "manifests" / "standard-mode"
OWN_CANARY = ROOT / "tests" / "data" / "standard-canary.yaml"

pytestmark = pytest.mark.skipif(
    not GATEWAY_API, reason="GATEWAY_API: no gateway of the Gateway API is named"
)


@pytest.fixture
def on(tmp_path: Path) -> Iterator[ClusterStage]:
    with site(tmp_path) as backend:
        backend.url = GATEWAY_API
        backend.host = f"intent.{backend.namespace}.example.com"
        where = f"namespace: {backend.namespace}, backend: gateway"
        backend.target = f"{{route: intent, {where}}}"
        built = ClusterStage(backend, tmp_path)
        try:
            yield built
        finally:
            built.forbid()


def _apply(backend: Site, canary: str = "", model: str = "v2") -> None:
    """The shipped folder; with another canary's image if one is given."""
    for document in yaml.safe_load_all(backend.kubectl("kustomize", str(STANDARD))):
        if document["kind"] == "HTTPRoute":
            document["spec"]["hostnames"] = [backend.host]
            backend.kubectl("apply", "-f", "-", given=yaml.safe_dump(document))
            continue
        container = document["spec"]["predictor"]["containers"][0]
        if canary and document["metadata"]["name"] == "intent-v2":
            container["image"] = f"{REGISTRY}/{canary}"
            serves(document, f"models/{model}")
        backend.apply(document)
    names = ["isvc/intent-v1", "isvc/intent-v2"]
    backend.kubectl("wait", "--for=condition=Ready", "--timeout=90s", *names)


def _weights(backend: Site) -> list[int]:
    route = backend.cluster.get(route_path(backend.namespace, "intent"))
    (rule,) = route["spec"]["rules"]
    return [each["weight"] for each in rule["backendRefs"]]


def test_a_healthy_canary_gets_all_of_the_routes_weight(on: ClusterStage) -> None:
    _apply(on.backend)
    verdict = on.noted("healthy, HTTPRoute", on.run(rps=RPS))
    assert verdict.code == 0, verdict.said
    assert _weights(on.backend) == [0, 100]
    assert "write these weights into the route's manifest" in verdict.said
    code, said = on.verb("undo", "intent")
    assert code == 0, said
    assert _weights(on.backend) == [100, 0]


def test_a_job_has_the_rights_that_manifests_prints_for_a_route(
    on: ClusterStage,
) -> None:
    _apply(on.backend)
    with on.users(RPS):
        policy = str(on.policy())
        on.create(on.manifests("intent", "--backend", "gateway", "-f", policy))
        on.until(on.phase)
        code, said = on.verb("status", "intent", "--wait", "--timeout", "100")
    assert code == 0, said
    assert _weights(on.backend) == [0, 100]
    logs = on.backend.kubectl("logs", "-l", "app.kubernetes.io/instance=intent")
    assert "forbidden" not in logs


def test_a_failing_one_gets_none(on: ClusterStage) -> None:
    _apply(on.backend, FAULTS, "failing")
    verdict = on.noted("every tenth 500, HTTPRoute", on.run(rps=RPS))
    assert verdict.code == 10, verdict.said
    assert _weights(on.backend) == [100, 0]


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
