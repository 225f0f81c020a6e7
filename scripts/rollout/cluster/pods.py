"""Pods of a revision: readiness, restarts, ports, and the addresses to ask."""

from collections.abc import Callable, Iterable, Mapping
from urllib.parse import quote

from scripts.inference.clients import model_name
from scripts.rollout.cluster.client import Cluster, Object, condition
from scripts.rollout.errors import RolloutError
from scripts.rollout.state.observation import Replicas

OWNER = "serving.kserve.io/inferenceservice"
CONTAINER = "kserve-container"
# Containers that a platform adds to a pod. KServe 0.20 names its own in
# pkg/constants/constants.go; their restarts say nothing about the model.
SIDECARS = frozenset(
    {
        "queue-proxy",  # Knative
        *("agent", "modelcar", "storage-initializer"),  # KServe
        *("kube-rbac-proxy", "oauth-proxy"),  # KServe on OpenShift
        "istio-proxy",
        "linkerd-proxy",
    }
)
SERVING_PORT = 8080  # KServe's default for a predictor's HTTP
METRICS_PORTS = ("metrics", "http-metrics")
GRPC_PORTS = ("grpc", "h2c")
ANNOTATION = "prometheus.io/port"
# One text as a V2 request: the smallest that every model here answers.
TENSOR = {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["hello"]}


def is_ready(pod: Object) -> bool:
    """Return whether a pod takes requests."""
    return condition(pod["status"], "Ready").get("status") == "True"


def replicas(
    pods: Iterable[Object], revision: Callable[[Object], str], container: str = ""
) -> Mapping[str, Replicas]:
    """Return ready pods and restarts of each revision; see `total`."""
    by_revision: dict[str, list[Object]] = {}
    for pod in pods:
        by_revision.setdefault(revision(pod), []).append(pod)
    return {name: total(found, container) for name, found in by_revision.items()}


def total(pods: list[Object], container: str = "") -> Replicas:
    """Return ready pods and restarts of one revision, without those of sidecars.

    `container` names the only container whose restarts count.
    """
    restarts = sum(
        status["restartCount"]
        for pod in pods
        for status in own(pod["status"].get("containerStatuses", []), container)
    )
    return Replicas(sum(map(is_ready, pods)), restarts)


def own(containers: list[Object], container: str = "") -> list[Object]:
    """Return the containers, or their statuses, that are not a platform's sidecars.

    A pod without a container named `container` may belong to another version. If all
    its containers have sidecars' names, their author chose those names, so all count.
    """
    named = [each for each in containers if each["name"] == container]
    apart = [each for each in containers if each["name"] not in SIDECARS]
    return named or apart or containers


def model_container(containers: list[Object], container: str = "") -> Object:
    """Return the container that serves the model: the named, KServe's, or the first."""
    found = own(containers, container)
    return next((each for each in found if each["name"] == CONTAINER), found[0])


def check(pods: Iterable[Object], container: str) -> None:
    """Raise RolloutError where pods run and none of them has this container."""
    names = {each["name"] for pod in pods for each in pod["spec"]["containers"]}
    if names and container not in names:
        raise RolloutError(
            f"target.container: expected one of {', '.join(sorted(names))}, got "
            f"{container}"
        )


def serving_port(pod: Object, container: str = "") -> int:
    """Return the port of the pod's model that answers HTTP, by default 8080."""
    ports = model_container(pod["spec"]["containers"], container).get("ports", ())
    found = (
        each["containerPort"]
        for each in ports
        if each.get("name") not in (*METRICS_PORTS, *GRPC_PORTS)
    )
    return int(next(found, SERVING_PORT))


def metrics_port(pod: Object, container: str = "", serving: int = 0) -> int:
    """Return the port called `metrics` or `http-metrics`.

    Without one, the port that Prometheus is told by the pod's annotation, else the
    `serving` one.
    """
    found = (
        port["containerPort"]
        for each in own(pod["spec"]["containers"], container)
        for port in each.get("ports", ())
        if port.get("name") in METRICS_PORTS
    )
    annotated = pod["metadata"].get("annotations", {}).get(ANNOTATION, "")
    other = int(annotated) if annotated.isdecimal() else serving
    return int(next(found, other or serving_port(pod, container)))


def urls(
    cluster: Cluster,
    pods: Iterable[Object],
    port: int | None = None,
    path: str = "/metrics",
) -> tuple[str, ...]:
    """Return the URL of a page of every ready pod, by default where it serves."""
    return tuple(
        cluster.pod_url(pod, port or serving_port(pod), path)
        for pod in pods
        if is_ready(pod)
    )


def find_pods(
    cluster: Cluster, namespace: str, labels: Mapping[str, str]
) -> list[Object]:
    """Return the pods with these labels. Raises RemoteError."""
    selector = quote(",".join(f"{key}={value}" for key, value in labels.items()))
    path = f"/api/v1/namespaces/{namespace}/pods?labelSelector={selector}"
    found: list[Object] = cluster.get(path)["items"]
    return found


def requests_to(model: str) -> Mapping[str, tuple[str, Object]]:
    """Return the path and the body of one text by each protocol over HTTP."""
    return {
        "v1": (f"/v1/models/{model}:predict", {"instances": ["hello"]}),
        "v2": (f"/v2/models/{model}/infer", {"inputs": [TENSOR]}),
    }


def model_of(pods: Iterable[Object], service: str, container: str = "") -> str:
    """Return the model that these pods' arguments name, else `service`."""
    for pod in pods:
        serving = model_container(pod["spec"]["containers"], container)
        return model_name(serving.get("args", ()), service)
    return service
