"""A revision's pods: how many are ready, how often restarted, where to ask them."""

from collections.abc import Callable, Iterable, Mapping

from scripts.rollout.kube import Cluster, Object
from scripts.rollout.state import Replicas, Warmed

CONTAINER = "kserve-container"
METRICS_PORT = 8080
TENSOR = {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["hello"]}


def is_ready(pod: Object) -> bool:
    """Whether a pod takes requests."""
    conditions = pod["status"].get("conditions", ())
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def replicas(
    pods: Iterable[Object], revision: Callable[[Object], str]
) -> Mapping[str, Replicas]:
    """By revision; only the model's own container counts as restarted."""
    found: dict[str, Replicas] = {}
    for pod in pods:
        before = found.get(revision(pod), Replicas())
        restarts = sum(
            status["restartCount"]
            for status in pod["status"].get("containerStatuses", ())
            if status["name"] == CONTAINER
        )
        found[revision(pod)] = Replicas(
            before.ready + is_ready(pod), before.restarts + restarts
        )
    return found


def urls(
    cluster: Cluster,
    pods: Iterable[Object],
    port: int = METRICS_PORT,
    path: str = "/metrics",
) -> tuple[str, ...]:
    """A page of every pod that is ready."""
    return tuple(cluster.pod_url(pod, port, path) for pod in pods if is_ready(pod))


def warm_up(cluster: Cluster, pods: list[Object], model: str, requests: int) -> Warmed:
    """Ask ready pods in turns, past the gateway, where no user comes."""
    failed = 0
    for number in range(requests if pods else 0):
        pod = pods[number % len(pods)]
        url = cluster.pod_url(pod, METRICS_PORT, f"/v2/models/{model}/infer")
        failed += not cluster.answers(url, {"inputs": [TENSOR]})
    return Warmed(requests if pods else 0, failed)
