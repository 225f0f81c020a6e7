"""Where the Envoys of an HTTPRoute's gateways are, and what they call its backends.

The route's own status names the controller of each of its gateways, so no Gateway has
to be read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from scripts.rollout.cluster import pods
from scripts.rollout.cluster.client import Cluster, Object
from scripts.rollout.errors import RemoteError
from scripts.rollout.metrics.envoy import PROXY_PAGE
from scripts.rollout.traffic.routes import httproute
from scripts.rollout.traffic.routes.httproute import Backend

CONTOUR = "projectcontour.io/gateway-controller"
ENVOY_GATEWAY = "gateway.envoyproxy.io/gatewayclass-controller"
OWNER = "gateway.envoyproxy.io/owning-gateway"
PORTS = {CONTOUR: 8002, ENVOY_GATEWAY: 19001}


@dataclass(frozen=True, slots=True)
class Envoys:
    """The pages of a route's Envoys; without one, `why` says what is missing."""

    pages: tuple[str, ...] = ()
    clusters: Mapping[str, str] = field(default_factory=dict)
    why: str = ""


def find(cluster: Cluster, route: Object, rule: Object) -> Envoys:
    """Return the Envoys that can be asked for each backend's requests."""
    names = dict(_names(route, rule))
    found: list[str] = []
    for parent in route.get("status", {}).get("parents", ()):
        controller = parent.get("controllerName", "")
        if controller not in PORTS:
            return Envoys(why=f"{controller} has no Envoy that is known here")
        if controller == ENVOY_GATEWAY and not _is_apart(rule):
            return Envoys(
                why="Envoy Gateway has one cluster for both backendRefs, unless each "
                "has filters"
            )
        try:
            mine = list(_pods(cluster, controller, route, parent))
        except RemoteError as error:
            return Envoys(why=str(error))
        found += pods.urls(cluster, mine, PORTS[controller], PROXY_PAGE)
    return Envoys(tuple(found), names, "" if found else "no Envoy of its gateways runs")


def _pods(
    cluster: Cluster, controller: str, route: Object, parent: Object
) -> Iterator[Object]:
    """Yield the Envoys of one gateway of a route."""
    gateway = parent["parentRef"]["name"]
    space = parent["parentRef"].get("namespace", route["metadata"]["namespace"])
    if controller == ENVOY_GATEWAY:
        labels = {f"{OWNER}-name": gateway, f"{OWNER}-namespace": space}
        yield from pods.find_pods(cluster, "envoy-gateway-system", labels)
        return
    # Contour's manifests run one Envoy for all, its provisioner one beside a Gateway.
    found = pods.find_pods(cluster, "projectcontour", {"app": "envoy"})
    named = {"gateway.networking.k8s.io/gateway-name": gateway}
    yield from found or pods.find_pods(cluster, space, named)


def _is_apart(rule: Object) -> bool:
    return all(each.get("filters") for each in httproute.backends(rule))


def _names(route: Object, rule: Object) -> Iterator[tuple[str, str]]:
    """Yield the name of each Envoy cluster, and the backend that it is for."""
    namespace, name = route["metadata"]["namespace"], route["metadata"]["name"]
    number = route["spec"]["rules"].index(rule)
    for place, reference in enumerate(httproute.backends(rule)):
        backend = Backend.of(reference, namespace)
        yield f"{backend.namespace}_{backend.name}_{backend.port}", backend.name
        yield (
            f"httproute/{namespace}/{name}/rule/{number}/backend/{place}",
            backend.name,
        )
