"""Who counts a route's requests: its gateways' Envoys, or the predictors and why."""

from typing import Any

from scripts.rollout.policy.policy import Target
from scripts.rollout.state.actions import WarmUp
from scripts.rollout.traffic.gateway import GatewayTraffic
from scripts.rollout.traffic.routes.httproute import route_path
from scripts.rollout.traffic.routes.ingress import ENVOY_GATEWAY
from tests.support.api_server import Api

ROUTE = route_path("default", "intent")
TARGET = Target(route="intent", backend="gateway")
STABLE, CANARY = "intent-v1-predictor", "intent-v2-predictor"


def _envoy(api: Api, namespace: str, **labels: str) -> None:
    metadata = {"name": "envoy-1", "namespace": namespace, "labels": labels}
    status = {"conditions": [{"type": "Ready", "status": "True"}]}
    path = f"/api/v1/namespaces/{namespace}/pods/envoy-1"
    api.objects[path] = {"metadata": metadata, "status": status}


def _rule(api: Api) -> dict[str, Any]:
    (rule,) = api.objects[ROUTE]["spec"]["rules"]
    return dict(rule)


def test_contours_envoy_counts_and_the_predictors_count_no_request(api: Api) -> None:
    _envoy(api, "projectcontour", app="envoy")
    traffic = GatewayTraffic(api, TARGET, "gateway")
    pages = traffic.pages([STABLE, CANARY])
    assert traffic.counted_by == "gateway"
    assert pages is not None
    assert "/pods/envoy-1:8002/proxy/stats/prometheus" in pages.gateways[0]
    assert pages.clusters[f"default_{CANARY}_80"] == CANARY
    assert (pages.with_http, pages.with_grpc, pages.doubts) == (False, False, ())


def test_a_gateway_of_contours_provisioner_is_found_beside_its_gateway(
    api: Api,
) -> None:
    label = {"gateway.networking.k8s.io/gateway-name": "kserve-ingress-gateway"}
    _envoy(api, "kserve", **label)
    assert GatewayTraffic(api, TARGET, "gateway").counted_by == "gateway"


def test_without_an_envoy_the_predictors_count_and_it_is_said(api: Api) -> None:
    traffic = GatewayTraffic(api, TARGET, "gateway")
    pages = traffic.pages([STABLE])
    assert traffic.counted_by == "predictor"
    assert pages is not None
    assert pages.with_http
    assert pages.doubts == (
        "counts: predictor, because the gateway cannot be asked: no Envoy of its "
        "gateways runs",
    )


def test_another_gateway_is_named(api: Api) -> None:
    (parent,) = api.objects[ROUTE]["status"]["parents"]
    parent["controllerName"] = "istio.io/gateway-controller"
    pages = GatewayTraffic(api, TARGET, "gateway").pages([STABLE])
    assert pages is not None
    assert "istio.io/gateway-controller has no Envoy that is known" in pages.doubts[0]


def test_envoy_gateway_counts_where_each_backend_has_a_cluster(api: Api) -> None:
    (parent,) = api.objects[ROUTE]["status"]["parents"]
    parent["controllerName"] = ENVOY_GATEWAY
    owner = "gateway.envoyproxy.io/owning-gateway"
    labels = {f"{owner}-name": "kserve-ingress-gateway", f"{owner}-namespace": "kserve"}
    _envoy(api, "envoy-gateway-system", **labels)
    pages = GatewayTraffic(api, TARGET, "gateway").pages([STABLE])
    assert pages is not None
    assert "one cluster for both backendRefs" in pages.doubts[0]
    for reference in _rule(api)["backendRefs"]:
        reference["filters"] = [{"type": "RequestHeaderModifier"}]
    pages = GatewayTraffic(api, TARGET, "gateway").pages([STABLE])
    assert pages is not None
    assert ":19001/proxy/stats" in pages.gateways[0]
    assert pages.clusters["httproute/default/intent/rule/0/backend/1"] == CANARY


def test_a_gateway_that_goes_away_is_silence_and_not_another_count(api: Api) -> None:
    _envoy(api, "projectcontour", app="envoy")
    traffic = GatewayTraffic(api, TARGET, "gateway")
    del api.objects["/api/v1/namespaces/projectcontour/pods/envoy-1"]
    assert traffic.pages([STABLE, CANARY]) is None


def test_a_rule_that_shares_the_stable_is_said_to_count_too(api: Api) -> None:
    _envoy(api, "projectcontour", app="envoy")
    rules = api.objects[ROUTE]["spec"]["rules"]
    reference = {**rules[0]["backendRefs"][0], "weight": 1}
    match = {"path": {"type": "Exact", "value": "/health"}}
    rules.append({"matches": [match], "backendRefs": [reference]})
    pages = GatewayTraffic(api, TARGET, "gateway").pages([STABLE])
    assert pages is not None
    assert "requests of the rules /health count too" in pages.doubts[0]


def test_requests_go_to_the_services_target_port(api: Api) -> None:
    service = api.objects[f"/api/v1/namespaces/default/services/{CANARY}"]
    service["spec"]["ports"] = [{"port": 80, "targetPort": 5000}]
    pages = GatewayTraffic(api, TARGET, "predictor").pages([CANARY])
    assert pages is not None
    assert pages.door(pages.predictors[0]).endswith(":5000/proxy")


def test_metrics_are_where_prometheus_is_told_to_find_them(api: Api) -> None:
    for path, pod in api.objects.items():
        if path.startswith(f"/api/v1/namespaces/default/pods/{CANARY}"):
            pod["metadata"]["annotations"] = {"prometheus.io/port": "9102"}
    pages = GatewayTraffic(api, TARGET, "predictor").pages([CANARY])
    assert pages is not None
    assert ":9102/proxy/metrics" in pages.predictors[0]


def test_a_grpc_server_is_sent_no_http_that_would_fail(api: Api) -> None:
    service = api.objects[f"/api/v1/namespaces/default/services/{CANARY}"]
    service["spec"]["ports"] = [{"port": 80, "appProtocol": "kubernetes.io/h2c"}]
    warmed = GatewayTraffic(api, TARGET, "predictor").warm_up(WarmUp(3))
    assert (warmed.sent, warmed.failed) == (0, 0)
    assert warmed.refused == ("a gRPC server is sent none",)
