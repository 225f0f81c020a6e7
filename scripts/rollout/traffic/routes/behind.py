"""The pods behind a backendRef of an HTTPRoute, and the port where they answer."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from scripts.rollout.cluster import pods
from scripts.rollout.cluster.client import Cluster, Object
from scripts.rollout.traffic.routes.httproute import POOL, Backend

# A Service's appProtocol for gRPC without TLS; over HTTP/1.1 such a port only fails.
H2C = ("kubernetes.io/h2c", "h2c", "grpc")


@dataclass(frozen=True, slots=True)
class Behind:
    """One arm: its name and its pods; `service` is the port of a Service's spec."""

    name: str
    pods: list[Object] = field(default_factory=list)
    service: Object = field(default_factory=dict)

    @property
    def ready(self) -> Sequence[Object]:
        """Return the pods that take requests."""
        return [pod for pod in self.pods if pods.is_ready(pod)]

    @property
    def is_grpc(self) -> bool:
        """Return whether the Service says that only HTTP/2 is spoken."""
        return self.service.get("appProtocol") in H2C

    def port(self, pod: Object, container: str = "") -> int:
        """Return the port that the Service sends requests to, else the pod's own."""
        wanted = self.service.get("targetPort")
        if isinstance(wanted, int):
            return wanted
        named = (
            port["containerPort"]
            for each in pod["spec"]["containers"]
            for port in each.get("ports", ())
            if wanted and port.get("name") == wanted
        )
        return int(next(named, pods.serving_port(pod, container)))


def find(cluster: Cluster, reference: Object, namespace: str) -> Behind:
    """Return what is behind a backendRef. Raises RemoteError or RolloutError."""
    backend = Backend.of(reference, namespace)
    found = cluster.find(backend.path)
    if found is None:
        return Behind(backend.name)
    if backend.kind == POOL:
        labels = found["spec"]["selector"]
        labels = labels.get("matchLabels", labels)
        service = {"targetPort": _pool_port(found["spec"])}
    else:
        labels = found["spec"].get("selector") or {}
        service = _service_port(found["spec"].get("ports", ()), backend.port)
    mine = pods.find_pods(cluster, backend.namespace, labels) if labels else []
    return Behind(backend.name, mine, service)


def _service_port(ports: Sequence[Object], number: int) -> Object:
    return next((each for each in ports if each.get("port") == number), {})


def _pool_port(spec: Object) -> int | None:
    """Return the port of an InferencePool: of v1, or of v1alpha2."""
    ports = spec.get("targetPorts") or [{"number": spec.get("targetPortNumber")}]
    number: int | None = ports[0]["number"]
    return number
