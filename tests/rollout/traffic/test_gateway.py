"""Traffic by the weights of an HTTPRoute, on objects recorded behind Contour."""

from typing import Any

import pytest

from scripts.local.processes import ROOT
from scripts.rollout import wiring
from scripts.rollout.cluster.client import Cluster
from scripts.rollout.errors import Conflict, RolloutError, Unreachable
from scripts.rollout.policy.policy import Target
from scripts.rollout.policy.reader import parse
from scripts.rollout.state.actions import WarmUp
from scripts.rollout.state.observation import Replicas
from scripts.rollout.traffic.gateway import GatewayTraffic
from scripts.rollout.traffic.port import Place
from scripts.rollout.traffic.routes.httproute import route_path
from tests.support.api_server import Api
from tests.support.managed import RIVAL, WRITTEN, owned

TARGET = Target(route="intent", backend="gateway")

ROUTE = route_path("default", "intent")
STABLE, CANARY = "intent-v1-predictor", "intent-v2-predictor"
PODS = "/api/v1/namespaces/default/pods"


def _traffic(api: Api) -> GatewayTraffic:
    return GatewayTraffic(api, TARGET, "predictor")


def _weights(api: Api) -> list[int]:
    (rule,) = api.objects[ROUTE]["spec"]["rules"]
    return [each["weight"] for each in rule["backendRefs"]]


def test_the_second_backend_is_the_canary_of_the_first(api: Api) -> None:
    view = _traffic(api).observe()
    assert view is not None
    assert (view.created, view.ready, view.rolledout) == (CANARY, CANARY, STABLE)
    assert (view.percent, view.routed) == (0, {STABLE: 100, CANARY: 0})
    assert view.replicas == {STABLE: Replicas(1), CANARY: Replicas(1)}


def test_weights_are_written_together_and_count_once_the_gateway_has_them(
    api: Api,
) -> None:
    traffic = _traffic(api)
    traffic.observe()
    traffic.set_weight(25)
    assert _weights(api) == [75, 25]
    api.objects[ROUTE]["metadata"]["generation"] += 1
    view = traffic.observe()
    assert view is not None
    assert (view.percent, view.routed) == (25, {})
    for parent in api.objects[ROUTE]["status"]["parents"]:
        for condition in parent["conditions"]:
            condition["observedGeneration"] += 1
    view = traffic.observe()
    assert view is not None
    assert view.routed == {STABLE: 75, CANARY: 25}


def test_a_route_that_changed_since_the_look_keeps_its_weights(api: Api) -> None:
    traffic = _traffic(api)
    traffic.observe()
    (rule,) = api.objects[ROUTE]["spec"]["rules"]
    rule["backendRefs"].reverse()
    api.objects[ROUTE]["metadata"]["generation"] += 1
    with pytest.raises(Conflict, match="changed since the last look"):
        traffic.set_weight(0)
    assert _weights(api) == [0, 100]


def test_everything_is_a_promotion_and_0_takes_it_back(api: Api) -> None:
    traffic = _traffic(api)
    traffic.observe()
    traffic.promote()
    view = traffic.observe()
    assert view is not None
    assert (view.rolledout, view.percent, view.routed[CANARY]) == (CANARY, None, 100)
    traffic.set_weight(0)
    assert _weights(api) == [100, 0]


def test_a_canary_without_a_ready_pod_is_not_ready(api: Api) -> None:
    for path, pod in api.objects.items():
        if path.startswith(f"{PODS}/{CANARY}"):
            pod["status"]["conditions"][0]["status"] = "False"
    view = _traffic(api).observe()
    assert view is not None
    assert (view.ready, view.replicas[CANARY].ready) == (STABLE, 0)
    assert _traffic(api).warm_up(WarmUp(3)).sent == 0


def test_pages_are_the_predictors_by_their_service(api: Api) -> None:
    pages = _traffic(api).pages([STABLE, CANARY])
    assert pages is not None
    assert pages.with_http
    assert sorted(pages.arms.values()) == [STABLE, CANARY]
    assert all(":8080/proxy/metrics" in url for url in pages.predictors)


def test_an_api_that_is_away_is_not_seen_and_not_written(api: Api) -> None:
    traffic = _traffic(api)
    api.is_away = True
    with pytest.raises(Unreachable):
        traffic.observe()
    with pytest.raises(Unreachable):
        traffic.pages([STABLE])
    with pytest.raises(Unreachable):
        traffic.set_weight(5)


def _plain(api: Api, *ports: dict[str, Any]) -> dict[str, Any]:
    """The canary as a plain Deployment's pod; a container `server` beside a proxy."""
    (pod,) = (
        found
        for path, found in api.objects.items()
        if path.startswith(f"{PODS}/{CANARY}")
    )
    server = {"name": "server", "args": ["--model_name=mood"], "ports": list(ports)}
    proxy = {"name": "istio-proxy", "ports": [{"name": "metrics", "containerPort": 1}]}
    pod["spec"]["containers"] = [proxy, server]
    pod["status"]["containerStatuses"] = [
        {"name": "istio-proxy", "restartCount": 5},
        {"name": "server", "restartCount": 3},
        {"name": "cache", "restartCount": 1},
    ]
    return dict(pod)


def test_restarts_of_any_container_count_but_those_of_sidecars(api: Api) -> None:
    _plain(api)
    view = _traffic(api).observe()
    assert view is not None
    assert view.replicas[CANARY].restarts == 4


def test_a_container_that_the_policy_names_is_the_only_one_that_counts(
    api: Api,
) -> None:
    _plain(api)
    target = TARGET.model_copy(update={"container": "server"})
    view = GatewayTraffic(api, target, "predictor").observe()
    assert view is not None
    assert view.replicas[CANARY].restarts == 3


def test_a_container_that_no_pod_has_is_refused_with_those_that_are_there(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Cluster, "of", lambda _: api)
    text = "target: {route: intent, backend: gateway, container: sever}"
    with pytest.raises(RolloutError, match=r"of kserve-container, got sever"):
        wiring.traffic(Place(ROOT), parse(text, "test"))


def test_a_pods_metrics_are_at_its_port_of_that_name_and_answers_at_the_other(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    grpc = {"name": "grpc", "containerPort": 9000}
    serving = {"name": "http", "containerPort": 5000}
    _plain(api, grpc, {"name": "metrics", "containerPort": 9100}, serving)
    traffic, asked = _traffic(api), list[str]()

    def answer(url: str, *_: object) -> str:
        asked.append(url)
        return "404" if "/v1/models" in url else "200"

    monkeypatch.setattr(api, "answer", answer)
    pages = traffic.pages([CANARY])
    assert pages is not None
    (page,) = pages.predictors
    assert page.endswith(":9100/proxy/metrics")
    assert pages.door(page).endswith(":5000/proxy")
    warmed = traffic.warm_up(WarmUp(1))
    assert (warmed.sent, warmed.failed, warmed.protocols) == (1, 0, ("v2",))
    door = pages.door(page)
    paths = ("/v1/models/mood:predict", "/v2/models/mood/infer")
    assert sorted(asked) == [door + path for path in paths]


def test_another_route_is_refused_with_what_is_expected(api: Api) -> None:
    (rule,) = api.objects[ROUTE]["spec"]["rules"]
    rule["backendRefs"].pop()
    with pytest.raises(RolloutError, match="two backendRefs, stable and canary"):
        _traffic(api)
    del api.objects[ROUTE]
    with pytest.raises(RolloutError, match="HTTPRoute intent not found"):
        _traffic(api)


def test_who_wrote_the_rules_last_is_the_weights_writer(api: Api) -> None:
    """An atomic list: whoever writes one weight owns all of it."""
    owned(api.objects[ROUTE], "spec", "rules", manager="intent-canary", time="2025")
    owned(api.objects[ROUTE], "spec", "rules")
    owned(api.objects[ROUTE], "spec", "hostnames", manager="other", time="2027")
    view = _traffic(api).observe()
    assert (view.writer, view.written) == (RIVAL, WRITTEN)
