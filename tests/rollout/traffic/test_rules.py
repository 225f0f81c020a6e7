"""One rule of a route with many: which is split, and that nothing else changes."""

import copy
import json
from typing import Any

import pytest

from scripts.local.processes import ROOT
from scripts.rollout.errors import RolloutError
from scripts.rollout.policy.policy import Target
from scripts.rollout.traffic.gateway import GatewayTraffic
from scripts.rollout.traffic.routes.httproute import route_path
from tests.support.api_server import Api

RECORDED = json.loads((ROOT / "tests" / "data" / "many_rules.json").read_text())
ROUTE = route_path("default", "chat")
PODS = "/api/v1/namespaces/default/pods"
POOLS = "/apis/inference.networking.k8s.io/v1/namespaces/default/inferencepools"


def _pod(name: str, **labels: str) -> dict[str, Any]:
    ready = {"type": "Ready", "status": "True"}
    container = {"name": "vllm", "ports": [{"containerPort": 7000}]}
    metadata = {"name": name, "namespace": "default", "labels": labels}
    status = {"conditions": [ready]}
    return {"metadata": metadata, "spec": {"containers": [container]}, "status": status}


@pytest.fixture
def api() -> Api:
    found = Api()
    found.objects[ROUTE] = copy.deepcopy(RECORDED)
    for name in ("old", "new"):
        found.objects[f"{PODS}/{name}"] = _pod(name, pool=name)
        spec = {"selector": {"matchLabels": {"pool": name}}}
        spec["targetPorts"] = [{"number": 8000}]  # type: ignore[assignment]
        found.objects[f"{POOLS}/{name}"] = {"spec": spec}
    return found


def _on(api: Api, rule: str | None) -> GatewayTraffic:
    target = Target(route="chat", rule=rule, backend="gateway")
    return GatewayTraffic(api, target, "predictor")


@pytest.mark.parametrize("rule", ["generate", "/v1/chat/completions"])
def test_a_rule_is_found_by_its_name_or_by_the_path_of_a_match(
    api: Api, rule: str
) -> None:
    view = _on(api, rule).observe()
    assert (view.created, view.rolledout, view.percent) == ("new", "old", 10)
    assert view.routed == {"old": 90, "new": 10}


def test_only_two_weights_of_the_route_change(api: Api) -> None:
    traffic = _on(api, "generate")
    traffic.observe()
    traffic.set_weight(25)
    now = api.objects[ROUTE]
    assert now["metadata"].pop("resourceVersion") != "9510"
    expected = copy.deepcopy(RECORDED)
    del expected["metadata"]["resourceVersion"]
    old, new = expected["spec"]["rules"][1]["backendRefs"]
    old["weight"], new["weight"] = 75, 25
    assert json.dumps(now, sort_keys=True) == json.dumps(expected, sort_keys=True)


def test_inference_pools_are_arms_with_pods_and_a_port_of_their_own(api: Api) -> None:
    traffic = _on(api, "generate")
    assert traffic.observe().replicas["new"].ready == 1
    pages = traffic.pages(["new"])
    assert pages is not None
    assert ":8000/proxy/metrics" in pages.predictors[0]


def test_two_rules_that_could_be_meant_need_a_name(api: Api) -> None:
    with pytest.raises(RolloutError, match=r"target\.rule") as refused:
        _on(api, None)
    assert "embed, generate" in str(refused.value)


def test_a_rule_that_is_not_there_is_refused_with_those_that_are(api: Api) -> None:
    with pytest.raises(RolloutError, match="which 0 have; there are: embed, generate"):
        _on(api, "genrate")


def test_a_kind_whose_pods_are_not_known_is_refused(api: Api) -> None:
    reference = api.objects[ROUTE]["spec"]["rules"][1]["backendRefs"][0]
    reference["kind"], reference["group"] = "Bucket", "example.com"
    with pytest.raises(RolloutError, match="the pods of a Bucket are not known"):
        _on(api, "generate")
