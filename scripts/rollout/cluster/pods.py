"""A revision's pods: how many are ready, how often restarted, where to ask them."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from urllib.parse import quote

from scripts.inference.clients import model_name
from scripts.rollout.cluster.client import Cluster, Object, condition
from scripts.rollout.state.actions import Warmed
from scripts.rollout.state.observation import Replicas

OWNER = "serving.kserve.io/inferenceservice"
CONTAINER = "kserve-container"
SERVING_PORT = 8080
TENSOR = {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["hello"]}


def is_ready(pod: Object) -> bool:
    """Whether a pod takes requests."""
    return condition(pod["status"], "Ready").get("status") == "True"


def replicas(
    pods: Iterable[Object], revision: Callable[[Object], str]
) -> Mapping[str, Replicas]:
    """By revision."""
    by_revision: dict[str, list[Object]] = {}
    for pod in pods:
        by_revision.setdefault(revision(pod), []).append(pod)
    return {name: total(found) for name, found in by_revision.items()}


def total(pods: list[Object]) -> Replicas:
    """Of one revision; only the model's own container counts as restarted."""
    restarts = sum(
        status["restartCount"]
        for pod in pods
        for status in pod["status"].get("containerStatuses", ())
        if status["name"] == CONTAINER
    )
    return Replicas(sum(map(is_ready, pods)), restarts)


def urls(
    cluster: Cluster,
    pods: Iterable[Object],
    port: int = SERVING_PORT,
    path: str = "/metrics",
) -> tuple[str, ...]:
    """A page of every pod that is ready."""
    return tuple(cluster.pod_url(pod, port, path) for pod in pods if is_ready(pod))


def of(cluster: Cluster, namespace: str, labels: Mapping[str, str]) -> list[Object]:
    """Pods with these labels. Raises Unreachable."""
    selector = quote(",".join(f"{key}={value}" for key, value in labels.items()))
    path = f"/api/v1/namespaces/{namespace}/pods?labelSelector={selector}"
    found: list[Object] = cluster.get(path)["items"]
    return found


def warm_up(
    cluster: Cluster,
    pods: Iterable[Object],
    model: str,
    requests: int,
    port: int = SERVING_PORT,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Warmed:
    """Ask those that are ready in turns, past the gateway, where no user comes."""
    ready = [pod for pod in pods if is_ready(pod)]
    if not ready:
        return Warmed(0, 0)
    path, failed = f"/v2/models/{model}/infer", 0
    for number in range(requests):
        url = cluster.pod_url(ready[number % len(ready)], port, path)
        failed += not cluster.answers(url, {"inputs": [TENSOR]}, headers)
    return Warmed(requests, failed)


def model_of(pods: Iterable[Object], service: str) -> str:
    """The model that the arguments of these pods name, else called as `service` is."""
    for pod in pods:
        containers = pod["spec"]["containers"]
        named = [each for each in containers if each["name"] == CONTAINER]
        return model_name((named or containers)[0].get("args", ()), service)
    return service
