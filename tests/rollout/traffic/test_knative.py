"""Traffic on a cluster, on objects recorded from a real KServe behind a fake server."""

import copy
import json
import re
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from scripts.local.processes import ROOT, free_ports
from scripts.rollout.cluster import client
from scripts.rollout.cluster.client import Cluster
from scripts.rollout.decision.explaining import reasons
from scripts.rollout.errors import (
    ApiError,
    Conflict,
    Forbidden,
    NotFound,
    RolloutError,
    Unreachable,
)
from scripts.rollout.policy.policy import Target
from scripts.rollout.state.actions import WarmUp
from scripts.rollout.state.observation import Replicas
from scripts.rollout.traffic import fence, knative_objects
from scripts.rollout.traffic.knative import GATEWAYS, KnativeTraffic

INTENT = Target(inferenceservice="intent", backend="knative")

RECORDED = json.loads((ROOT / "tests" / "data" / "kserve_objects.json").read_text())
SERVING = "/apis/serving.kserve.io/v1beta1/namespaces/default/inferenceservices/intent"
KNATIVE = "/apis/serving.knative.dev/v1/namespaces/default"
KINDS = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService"}
PODS = "/api/v1/namespaces/default/pods"
GATEWAY = f"/api/v1/namespaces/{GATEWAYS[0]}/pods"
FIRST, NEWEST = "intent-predictor-00001", "intent-predictor-00003"


def _gateway(name: str) -> dict[str, Any]:
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    return {"metadata": {"name": name, "namespace": "kourier-system"}, "status": ready}


class Recorded:
    """An API server of a few objects; it keeps what it was sent."""

    def __init__(self, server: HTTPServer) -> None:
        """Serve the recorded objects."""
        recorded = copy.deepcopy(RECORDED)
        self.objects: dict[str, Any] = {
            SERVING: {**KINDS, **recorded["inferenceservice"]},
            f"{KNATIVE}/services/intent-predictor": recorded["service"],
            PODS: recorded["pods"],
            f"{KNATIVE}/revisions/{NEWEST}": {"status": {}},
            GATEWAY: {"items": [_gateway("gateway-1"), _gateway("gateway-2")]},
        }
        self.serving = self.objects[SERVING]
        self.routes = self.objects[f"{KNATIVE}/services/intent-predictor"]
        self.headers: list[dict[str, str]] = []
        self.sent: list[tuple[str, str, str, Any]] = []
        self.refuses: dict[str, int] = {}
        self.pages: dict[str, tuple[int, str]] = {}
        self.url = server.url_for("").rstrip("/")
        server.expect_request(re.compile("/.*")).respond_with_handler(self._answer)

    def _answer(self, request: Request) -> Response:
        method, path = request.method, request.environ["RAW_URI"]
        body = json.loads(request.data) if request.data else None
        self.headers.append(dict(request.headers))
        self.sent.append((method, path, request.content_type or "", body))
        path = path.partition("?")[0]
        if path in self.pages:
            status, page = self.pages[path]
            return Response(page, f"{status} {HTTPStatus(status).phrase}")
        status = self.refuses.get(method, 200)
        content = self.objects.get(path, {})
        if status == 200 and not content and method == "GET":
            status = 404
        if status >= 400:
            content = {"kind": "Status", "message": f"{path} is refused"}
        return Response(json.dumps(content), status)


@pytest.fixture
def api(httpserver: HTTPServer) -> Recorded:
    """A running server."""
    return Recorded(httpserver)


@pytest.fixture
def cluster(api: Recorded) -> Cluster:
    """The API server as a client sees it."""
    return Cluster(api.url, urllib3.PoolManager(retries=False))


def _traffic(cluster: Cluster, counts: str = "gateway") -> KnativeTraffic:
    return KnativeTraffic(cluster, INTENT, counts)


MOOD = {"/v1/models/mood:predict", "/v2/models/mood/infer"}


def _warmed(traffic: KnativeTraffic) -> tuple[int, int]:
    """What one request by each protocol came to: sent and failed."""
    found = traffic.warm_up(WarmUp(1))
    return found.sent, found.failed


def _asked(api: Recorded) -> set[str]:
    """The last two paths behind the proxy, in whatever order they came."""
    return {path.partition("/proxy")[2] for _, path, *_ in api.sent[-2:]}


def test_a_view_is_what_routes_and_what_the_pods_are(cluster: Cluster) -> None:
    view = _traffic(cluster).observe()
    assert view is not None
    assert (view.created, view.ready, view.rolledout) == (NEWEST, NEWEST, FIRST)
    assert (view.percent, view.routed) == (0, {NEWEST: 0, FIRST: 100})
    assert view.replicas[NEWEST] == Replicas(ready=1, restarts=0)
    assert view.failure == ""


def test_traffic_that_knative_has_not_seen_yet_is_not_in_force(
    api: Recorded, cluster: Cluster
) -> None:
    api.objects[f"{KNATIVE}/services/intent-predictor"]["metadata"]["generation"] += 1
    view = _traffic(cluster).observe()
    assert view is not None
    assert view.routed == {}


def test_a_route_that_knative_leaves_as_it_is_says_why(
    api: Recorded, cluster: Cluster
) -> None:
    service = api.objects[f"{KNATIVE}/services/intent-predictor"]
    why = f'Revision "{NEWEST}" failed to become ready.'
    stuck = {"type": "RoutesReady", "status": "False", "message": why}
    service["status"]["conditions"] = [stuck]
    view = _traffic(cluster).observe()
    assert view is not None
    assert view.blocked == why
    assert reasons.traffic(view).endswith(f"100 %: {why}")


def test_two_targets_of_one_revision_add_up(api: Recorded, cluster: Cluster) -> None:
    service = api.objects[f"{KNATIVE}/services/intent-predictor"]
    for target, percent in zip(service["status"]["traffic"], (10, 90), strict=True):
        target |= {"revisionName": FIRST, "percent": percent}
    view = _traffic(cluster).observe()
    assert view is not None
    assert view.routed == {FIRST: 100}


def test_only_the_models_own_container_counts_as_a_restart(
    api: Recorded, cluster: Cluster
) -> None:
    own, proxy = api.objects[PODS]["items"][2]["status"]["containerStatuses"]
    own["restartCount"], proxy["restartCount"] = 2, 7
    api.objects[PODS]["items"][2]["status"]["conditions"][0]["status"] = "False"
    view = _traffic(cluster).observe()
    assert view is not None
    assert view.replicas[NEWEST] == Replicas(ready=0, restarts=2)


def test_a_container_of_another_name_counts_as_a_restart_too(
    api: Recorded, cluster: Cluster
) -> None:
    own, _ = api.objects[PODS]["items"][2]["status"]["containerStatuses"]
    own |= {"name": "classifier", "restartCount": 2}
    view = _traffic(cluster).observe()
    assert view is not None
    assert view.replicas[NEWEST].restarts == 2


def test_a_predictor_of_a_runtime_has_no_containers_of_its_own(
    api: Recorded, cluster: Cluster
) -> None:
    predictor = api.objects[SERVING]["spec"]["predictor"]
    del predictor["containers"]
    predictor["model"] = {"name": "", "args": ["--model_name=mood"]}
    assert _warmed(_traffic(cluster)) == (2, 0)
    assert _asked(api) == MOOD


def test_the_model_is_that_of_kserves_container_wherever_it_stands(
    api: Recorded, cluster: Cluster
) -> None:
    containers = api.objects[SERVING]["spec"]["predictor"]["containers"]
    containers[0] |= {"name": "kserve-container", "args": ["--model_name=mood"]}
    containers.insert(0, {"name": "transformer-container", "args": []})
    assert _warmed(_traffic(cluster)) == (2, 0)
    assert _asked(api) == MOOD


def test_a_revision_that_failed_says_why(api: Recorded, cluster: Cluster) -> None:
    status = api.objects[SERVING]["status"]["components"]["predictor"]
    status["latestReadyRevision"] = FIRST
    condition = {"type": "Ready", "status": "False", "message": "no such image"}
    path = f"{KNATIVE}/revisions/{NEWEST}"
    api.objects[path] = {"status": {"conditions": [condition]}}
    view = _traffic(cluster).observe()
    assert view is not None
    assert view.failure == "no such image"
    condition["status"] = "Unknown"
    again = _traffic(cluster).observe()
    assert again is not None
    assert again.failure == ""


@pytest.mark.parametrize("percent", [25, 0, None])
def test_one_field_is_patched_on_the_version_that_was_read(
    api: Recorded, cluster: Cluster, percent: int | None
) -> None:
    traffic = _traffic(cluster)
    traffic.observe()
    if percent is None:
        traffic.promote()
    else:
        traffic.set_weight(percent)
    method, path, kind, body = api.sent[-1]
    forced = "" if percent is None else "&force=true"
    query = f"fieldManager=intent-canary{forced}&timeout=9s"
    assert (method, path) == ("PATCH", f"{SERVING}?{query}")
    way = "merge-patch+json" if percent is None else "apply-patch+yaml"
    assert kind == f"application/{way}"
    recorded = RECORDED["inferenceservice"]
    version = {"resourceVersion": recorded["metadata"]["resourceVersion"]}
    change = {"spec": {"predictor": {"canaryTrafficPercent": percent}}}
    if percent is None:
        assert body == {"metadata": version, **change}
        return
    assert body == {**KINDS, "metadata": {"name": "intent", **version}, **change}


def test_who_wrote_the_percent_last_is_read_from_the_managed_fields(
    api: Recorded, cluster: Cluster
) -> None:
    percent: dict[str, Any] = {
        "f:spec": {"f:predictor": {"f:canaryTrafficPercent": {}}}
    }
    other: dict[str, Any] = {"f:spec": {"f:predictor": {"f:minReplicas": {}}}}
    api.objects[SERVING]["metadata"]["managedFields"] = [
        {"manager": manager, "time": f"2026-01-01T00:00:0{second}Z", "fieldsV1": owned}
        for second, (manager, owned) in enumerate(
            [
                ("intent-canary", percent),
                ("argocd-controller", percent),
                ("kubectl-edit", other),
            ]
        )
    ]
    view = _traffic(cluster).observe()
    assert view.writer == "argocd-controller"
    assert view.written == "2026-01-01T00:00:01Z"


def test_a_conflict_is_told_and_tried_again_by_the_loop(
    api: Recorded, cluster: Cluster
) -> None:
    traffic = _traffic(cluster)
    traffic.observe()
    api.refuses["PATCH"] = 409
    with pytest.raises(Conflict, match="is refused"):
        traffic.set_weight(5)


@pytest.mark.parametrize("percent", [5, None])
def test_what_changed_since_the_look_gets_no_weight_and_no_promotion(
    api: Recorded, cluster: Cluster, percent: int | None
) -> None:
    traffic = _traffic(cluster)
    traffic.observe()
    api.objects[SERVING]["metadata"]["generation"] += 1
    with pytest.raises(Conflict, match="intent: changed since the last look"):
        traffic.promote() if percent is None else traffic.set_weight(percent)
    assert all(method == "GET" for method, *_ in api.sent)
    traffic.set_weight(0)
    assert api.sent[-1][0] == "PATCH"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that the fence reads, its one element."""
    found = [0.0]
    times = SimpleNamespace(monotonic=lambda: found[0])
    monkeypatch.setattr(fence, "time", times)
    return found


def test_a_template_of_which_there_is_no_revision_yet_is_not_seen(
    api: Recorded, cluster: Cluster, clock: list[float]
) -> None:
    traffic = _traffic(cluster)
    traffic.observe()
    api.objects[SERVING]["spec"]["predictor"]["minReplicas"] = 3
    for now in (0.0, fence.PATIENCE_S - 1):
        clock[0] = now
        with pytest.raises(Unreachable, match=f"its status still names {NEWEST}"):
            traffic.observe()
    clock[0] = fence.PATIENCE_S
    assert traffic.observe().created == NEWEST


def _image_is_newer(api: Recorded) -> None:
    api.serving["spec"]["predictor"]["containers"][0]["image"] = "intent:v3"


def _variable_is_newer(api: Recorded) -> None:
    container = api.serving["spec"]["predictor"]["containers"][0]
    container["env"] = [{"name": "VERSION", "value": "3"}]


def _model_is_newer(api: Recorded) -> None:
    predictor = api.serving["spec"]["predictor"]
    del predictor["containers"]
    predictor["model"] = {"storageUri": "s3://models/v3"}


def _revision_is_newer(api: Recorded) -> None:
    api.routes["status"]["latestCreatedRevisionName"] = "intent-predictor-00004"


@pytest.mark.parametrize(
    "change", [_image_is_newer, _variable_is_newer, _model_is_newer, _revision_is_newer]
)
def test_a_first_look_sees_no_revision_older_than_the_template(
    api: Recorded,
    cluster: Cluster,
    clock: list[float],
    change: Callable[[Recorded], None],
) -> None:
    container = api.serving["spec"]["predictor"]["containers"][0]
    added = [{"name": "INFERENCE_SERVICE_NAME", "value": "intent"}]
    metadata = {"annotations": {knative_objects.STORED: "s3://models/v2"}}
    made = {"metadata": metadata, "spec": {"containers": [{**container, "env": added}]}}
    api.routes["spec"] = {"template": made}
    assert _traffic(cluster).observe().created == NEWEST
    change(api)
    traffic = _traffic(cluster)
    with pytest.raises(Unreachable, match=f"its status still names {NEWEST}"):
        traffic.observe()
    # An admission controller may have changed what KServe made: it is not waited for.
    for now in (fence.PATIENCE_S, fence.PATIENCE_S + 1):
        clock[0] = now
        assert traffic.observe().created == NEWEST


def test_an_api_that_is_away_is_not_seen(api: Recorded, cluster: Cluster) -> None:
    traffic = _traffic(cluster)
    api.refuses["GET"] = 503
    with pytest.raises(Unreachable, match="is refused"):
        traffic.observe()
    with pytest.raises(Unreachable, match="is refused"):
        traffic.pages([FIRST])


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, Forbidden), (403, Forbidden), (404, NotFound), (422, ApiError)],
)
def test_an_answer_that_says_no_is_no_silence_and_keeps_its_sentence(
    api: Recorded, cluster: Cluster, status: int, kind: type[ApiError]
) -> None:
    traffic = _traffic(cluster)
    api.refuses["GET"] = status
    with pytest.raises(kind, match=f"GET {SERVING}: {SERVING} is refused") as found:
        traffic.observe()
    assert found.value.status == status
    assert not isinstance(found.value, Unreachable)


def test_a_page_of_a_proxy_before_the_api_is_said_by_its_status(
    api: Recorded, cluster: Cluster
) -> None:
    api.pages[SERVING] = (403, "<html>sign in</html>")
    with pytest.raises(Forbidden, match="HTTP 403 Forbidden"):
        cluster.get(SERVING)


def test_traffic_that_moves_by_time_is_refused(api: Recorded, cluster: Cluster) -> None:
    annotations = api.objects[SERVING]["metadata"]["annotations"]
    annotations["serving.knative.dev/rollout-duration"] = "10m"
    with pytest.raises(RolloutError, match="moves traffic by time; remove it first"):
        _traffic(cluster)


def test_pages_are_those_of_all_gateways_and_of_ready_pods(
    api: Recorded, cluster: Cluster
) -> None:
    traffic = _traffic(cluster)
    pages = traffic.pages([FIRST, NEWEST])
    assert pages is not None
    assert [url.partition("?")[0] for url in pages.gateways] == [
        f"{api.url}{GATEWAY}/gateway-{n}:9000/proxy/stats/prometheus" for n in (1, 2)
    ]
    assert len(pages.predictors) == 2
    assert all(url.endswith(":8080/proxy/metrics") for url in pages.predictors)
    api.objects[PODS]["items"][0]["status"]["conditions"][0]["status"] = "False"
    fewer = traffic.pages([FIRST, NEWEST])
    assert fewer is not None
    assert len(fewer.predictors) == 1
    api.objects[GATEWAY] = {"items": []}
    assert traffic.pages([FIRST]) is None


def test_grpc_is_not_counted_at_the_gateway(api: Recorded, cluster: Cluster) -> None:
    container = api.objects[SERVING]["spec"]["predictor"]["containers"][0]
    container["ports"][0]["name"] = "h2c"
    pages = _traffic(cluster).pages([FIRST])
    assert pages is not None
    assert pages.gateways == ()
    assert not pages.with_http
    assert "backend: gateway" in pages.unread


def test_where_no_gateway_counts_the_queue_proxies_or_the_predictors_do(
    cluster: Cluster,
) -> None:
    queues = _traffic(cluster, "queue-proxy").pages([FIRST])
    assert queues is not None
    assert queues.gateways == ()
    assert [url.rpartition(":")[2] for url in queues.queues] == ["9091/proxy/metrics"]
    last = _traffic(cluster, "predictor").pages([FIRST])
    assert last is not None
    assert (last.gateways, last.queues, last.with_http) == ((), (), True)


def test_inside_the_cluster_pods_are_asked_directly_and_without_the_token(
    api: Recorded,
    cluster: Cluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "token").write_text("secret\n")
    monkeypatch.setattr(client, "ACCOUNT", tmp_path)
    inside = Cluster(api.url, cluster.http, is_inside=True)
    for pod in (*api.objects[GATEWAY]["items"], *api.objects[PODS]["items"]):
        pod["status"]["podIP"] = "10.0.0.9"
    pages = _traffic(inside).pages([FIRST])
    assert pages is not None
    assert pages.gateways[0].startswith("http://10.0.0.9:9000/stats/prometheus?")
    assert "Authorization" in api.headers[-1]
    assert inside.answer(f"{api.url}/v2/models/intent/infer", {}, {}) == "200"
    assert "Authorization" not in api.headers[-1]


@pytest.mark.parametrize("mode", ["Standard", "RawDeployment"])
def test_another_deployment_mode_is_refused_with_the_way_out(
    api: Recorded, cluster: Cluster, mode: str
) -> None:
    api.objects[SERVING]["status"]["deploymentMode"] = mode
    with pytest.raises(RolloutError, match="standard or gateway"):
        _traffic(cluster)


def test_what_was_never_applied_is_named(api: Recorded, cluster: Cluster) -> None:
    del api.objects[SERVING]
    with pytest.raises(RolloutError, match="intent not found; apply it first"):
        _traffic(cluster)


def test_warm_up_goes_to_the_canarys_pods_past_the_gateway(
    api: Recorded, cluster: Cluster
) -> None:
    traffic = _traffic(cluster)
    warmed = traffic.warm_up(WarmUp(3))
    assert (warmed.sent, warmed.failed, warmed.pods) == (6, 0, 1)
    assert warmed.protocols == ("v1", "v2")
    posts = [path for method, path, _, _ in api.sent if method == "POST"]
    assert len(posts) == 6
    assert all(f"{NEWEST}-deployment" in path for path in posts)
    paths = {path.partition(":8080/proxy")[2] for path in posts}
    assert paths == {"/v1/models/intent:predict", "/v2/models/intent/infer"}
    api.refuses["POST"] = 500
    assert _warmed(traffic) == (2, 2)


def test_a_canary_that_is_scaled_to_zero_is_idle_and_woken_by_the_activator(
    api: Recorded, cluster: Cluster
) -> None:
    pods = api.objects[PODS]["items"]
    pods[:] = [pod for pod in pods if NEWEST not in pod["metadata"]["name"]]
    active = {"type": "Active", "status": "False", "reason": "NoTraffic"}
    path = f"{KNATIVE}/revisions/{NEWEST}"
    api.objects[path] = {"status": {"conditions": [active]}}
    api.objects["/api/v1/namespaces/knative-serving/pods"] = {
        "items": [_gateway("activator-1")]
    }
    traffic = _traffic(cluster)
    view = traffic.observe()
    assert view is not None
    assert view.is_idle
    assert _warmed(traffic) == (2, 0)
    assert all("/activator-1:8012/proxy/v" in each[1] for each in api.sent[-2:])
    assert api.headers[-1]["Knative-Serving-Revision"] == NEWEST
    active["reason"] = "Deploying"
    view = traffic.observe()
    assert view is not None
    assert not view.is_idle


def test_no_cluster_is_said_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(RolloutError, match="set KUBECONFIG"):
        Cluster.here()
    (port,) = free_ports(1)
    away = Cluster(f"http://127.0.0.1:{port}", urllib3.PoolManager(retries=False))
    with pytest.raises(Unreachable, match=f"127.0.0.1:{port}"):
        away.get("/api")
