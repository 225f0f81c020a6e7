"""Traffic on a cluster: an InferenceService in Knative mode, by its own percent field.

Writes nothing but `canaryTrafficPercent`, never metadata (that would be a revision).
What is in force is read from the Knative Service's `status.traffic`, once it has
observed its newest generation; never from `Ready`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from scripts.inference.clients import model_name
from scripts.rollout.errors import RolloutError, Unreachable
from scripts.rollout.kube import Cluster, Object
from scripts.rollout.ports import Pages
from scripts.rollout.series import PROXY_PAGE
from scripts.rollout.state import Replicas, View, Warmed

MANAGER = "intent-canary"
REVISION = "serving.knative.dev/revision"
ROLLOUT_DURATION = "serving.knative.dev/rollout-duration"
CONTAINER = "kserve-container"
GATEWAY = "/api/v1/namespaces/kourier-system/pods"
GATEWAY_LABEL = "labelSelector=app%3D3scale-kourier-gateway"
PERCENT = "canaryTrafficPercent"


class KserveTraffic:
    """One InferenceService of a cluster."""

    def __init__(self, cluster: Cluster, namespace: str, name: str) -> None:
        """Raises RolloutError in a state from which no rollout is safe."""
        self._cluster, self._namespace, self._name = cluster, namespace, name
        self._service = (
            f"/apis/serving.kserve.io/v1beta1/namespaces/{namespace}"
            f"/inferenceservices/{name}"
        )
        self._routes = (
            f"/apis/serving.knative.dev/v1/namespaces/{namespace}"
            f"/services/{name}-predictor"
        )
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._mine = f"labelSelector=serving.kserve.io%2Finferenceservice%3D{name}"
        document = cluster.get(self._service)
        annotations = document["metadata"].get("annotations", {})
        if ROLLOUT_DURATION in annotations:
            raise RolloutError(
                f"{name}: the annotation {ROLLOUT_DURATION} moves traffic by time; "
                "remove it first"
            )
        self._model = model_name(_container(document).get("args", ()), name)
        self.is_grpc = _is_grpc(document)

    def observe(self) -> View | None:
        """As KServe reports the revisions, as Knative routes, as the pods are."""
        try:
            document = self._cluster.get(self._service)
            service = self._cluster.get(self._routes)
            pods = self._cluster.get(f"{self._pods}?{self._mine}")["items"]
            return self._view(document, service, pods)
        except Unreachable:
            return None

    def _view(self, document: Object, service: Object, pods: list[Object]) -> View:
        predictor = (
            document.get("status", {}).get("components", {}).get("predictor", {})
        )
        created = predictor.get("latestCreatedRevision", "")
        ready = predictor.get("latestReadyRevision", "")
        return View(
            created=created,
            ready=ready,
            rolledout=predictor.get("latestRolledoutRevision", ""),
            percent=document["spec"]["predictor"].get(PERCENT),
            routed=_routed(service),
            replicas=_replicas(pods),
            failure="" if created == ready else self._failure(created),
        )

    def _failure(self, revision: str) -> str:
        """Why a revision can never be ready, "" while it still may."""
        path = f"/apis/serving.knative.dev/v1/namespaces/{self._namespace}/revisions"
        status = self._cluster.get(f"{path}/{revision}").get("status", {})
        for condition in status.get("conditions", ()):
            if condition["type"] == "Ready" and condition["status"] == "False":
                return str(condition.get("message") or condition.get("reason"))
        return ""

    def set_percent(self, percent: int | None) -> None:
        """Patch one field, on the version that was just read. Raises Unreachable."""
        version = self._cluster.get(self._service)["metadata"]["resourceVersion"]
        change = {
            "metadata": {"resourceVersion": version},
            "spec": {"predictor": {PERCENT: percent}},
        }
        self._cluster.patch(self._service, change, MANAGER)

    def warm_up(self, requests: int) -> Warmed:
        """Ask the canary's pods, past the gateway, where no user comes."""
        predictor = self._cluster.get(self._service)["status"]["components"][
            "predictor"
        ]
        newest = predictor["latestReadyRevision"]
        pods = self._cluster.get(f"{self._pods}?{self._mine}")["items"]
        names = [pod["metadata"]["name"] for pod in pods if _revision(pod) == newest]
        tensor = {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["hello"]}
        failed = 0
        for number in range(requests):
            pod = names[number % len(names)]
            path = f"{self._pods}/{pod}:8080/proxy/v2/models/{self._model}/infer"
            failed += not self._cluster.answers(path, {"inputs": [tensor]})
        return Warmed(requests, failed)

    def pages(self, revisions: Sequence[str]) -> Pages | None:
        """Pages through the API server's proxy: the gateway's, and each pod's."""
        server = self._cluster.server
        try:
            gateways = self._cluster.get(f"{GATEWAY}?{GATEWAY_LABEL}")["items"]
            pods = self._cluster.get(f"{self._pods}?{self._mine}")["items"]
        except Unreachable:
            return None
        if not gateways:
            return None
        gateway = gateways[0]["metadata"]["name"]
        predictors = [
            f"{server}{self._pods}/{pod['metadata']['name']}:8080/proxy/metrics"
            for pod in pods
            if _revision(pod) in revisions and _is_ready(pod)
        ]
        page = f"{server}{GATEWAY}/{gateway}:9000/proxy{PROXY_PAGE}"
        return Pages(None if self.is_grpc else page, tuple(predictors))


def _routed(service: Object) -> dict[str, int]:
    """Percent by revision; nothing while Knative has not seen its newest generation."""
    status = service.get("status", {})
    if status.get("observedGeneration") != service["metadata"]["generation"]:
        return {}
    found: Counter[str] = Counter()
    for target in status.get("traffic", ()):
        found[target["revisionName"]] += target.get("percent", 0)
    return dict(found)


def _replicas(pods: list[Object]) -> Mapping[str, Replicas]:
    found: dict[str, Replicas] = {}
    for pod in pods:
        before = found.get(_revision(pod), Replicas())
        restarts = sum(
            status["restartCount"]
            for status in pod["status"].get("containerStatuses", ())
            if status["name"] == CONTAINER
        )
        found[_revision(pod)] = Replicas(
            before.ready + _is_ready(pod), before.restarts + restarts
        )
    return found


def _revision(pod: Object) -> str:
    return str(pod["metadata"]["labels"].get(REVISION, ""))


def _is_ready(pod: Object) -> bool:
    conditions = pod["status"].get("conditions", ())
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _container(document: Object) -> Any:
    return document["spec"]["predictor"]["containers"][0]


def _is_grpc(document: Object) -> bool:
    return any(
        port.get("name") == "h2c" for port in _container(document).get("ports", ())
    )
