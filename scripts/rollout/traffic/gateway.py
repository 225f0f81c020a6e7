"""Traffic on a cluster by an HTTPRoute's weights: two Services behind one address.

The route's first backendRef is the stable, its second the canary; each is the Service
of an InferenceService in Standard mode, or any other. The script owns their weights.
"""

from collections.abc import Sequence

from scripts.rollout.cluster import pods
from scripts.rollout.cluster.client import Cluster, Object
from scripts.rollout.errors import RolloutError, Unreachable
from scripts.rollout.metrics.port import METRICS_PAGE, Pages
from scripts.rollout.state.actions import Warmed
from scripts.rollout.state.observation import View
from scripts.rollout.state.state import FULL
from scripts.rollout.traffic import httproute


class GatewayTraffic:
    """One HTTPRoute of a cluster."""

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        name: str,
        counts: str,
        container: str = "",
    ) -> None:
        """Raises RolloutError where the route is not one of two Services."""
        self.counts, self._container = counts, container
        self._cluster, self._namespace, self._name = cluster, namespace, name
        self._path = httproute.route_path(namespace, name)
        arms = self._arms(cluster.applied(self._path, "HTTPRoute", name))
        if container:
            pods.check([pod for arm in arms for pod in self._pods(arm)], container)

    def _arms(self, route: Object) -> tuple[str, str]:
        names = [each["name"] for each in httproute.backends(route)]
        if len(names) != 2 or len(set(names)) != 2:
            raise RolloutError(
                f"HTTPRoute {self._name}: expected one rule with two backendRefs, "
                f"stable and canary, got {names}"
            )
        return names[0], names[1]

    def observe(self) -> View | None:
        """The route's weights, in force where its gateway says so, and the pods."""
        try:
            route = self._cluster.get(self._path)
            stable, canary = self._arms(route)
            found = {name: self._pods(name) for name in (stable, canary)}
        except Unreachable:
            return None
        shares = httproute.shares(route)
        replicas = {
            name: pods.total(each, self._container) for name, each in found.items()
        }
        is_ready = replicas[canary].ready > 0
        has_all = shares.get(canary, 0) == FULL
        return View(
            created=canary,
            ready=canary if is_ready else stable,
            rolledout=canary if has_all else stable,
            percent=None if has_all else shares.get(canary, 0),
            routed=shares if httproute.is_in_force(route) else {},
            replicas=replicas,
        )

    def set_percent(self, percent: int | None) -> None:
        """Both weights, on the version that was just read. Raises Unreachable."""
        route = self._cluster.get(self._path)
        share = FULL if percent is None else percent
        for backend, weight in zip(
            httproute.backends(route), (FULL - share, share), strict=True
        ):
            backend["weight"] = weight
        change = {"spec": {"rules": route["spec"]["rules"]}}
        self._cluster.patch(self._path, route, change)

    def warm_up(self, requests: int) -> Warmed:
        """Ask the canary's pods, past the gateway."""
        _, canary = self._arms(self._cluster.get(self._path))
        found = self._pods(canary)
        model = pods.model_of(found, canary, self._container)
        doors = [self._urls(pod)[1] for pod in found if pods.is_ready(pod)]
        return pods.warm_up(self._cluster, doors, model, requests)

    def pages(self, revisions: Sequence[str]) -> Pages | None:
        """Pages of every ready pod behind these Services."""
        try:
            found = [(name, self._pods(name)) for name in revisions]
        except Unreachable:
            return None
        arms, doors = {}, {}
        for name, each in found:
            for pod in filter(pods.is_ready, each):
                page, doors[page] = self._urls(pod)
                arms[page] = name
        pages = tuple(arms)
        return Pages(predictors=pages, arms=arms, doors=doors, with_http=True)

    def _urls(self, pod: Object) -> tuple[str, str]:
        """A pod's metrics page, and where it answers predictions."""
        metrics = pods.metrics_port(pod, self._container)
        serving = pods.serving_port(pod, self._container)
        page = self._cluster.pod_url(pod, metrics, METRICS_PAGE)
        return page, self._cluster.pod_url(pod, serving, "")

    def _pods(self, service: str) -> list[Object]:
        root = f"/api/v1/namespaces/{self._namespace}"
        found = self._cluster.find(f"{root}/services/{service}")
        if found is None:
            return []
        return pods.of(self._cluster, self._namespace, found["spec"]["selector"])
