"""Sets the weights of an HTTPRoute with two Services.

The route's first backendRef is the stable, its second the canary; each is the Service
of an InferenceService in Standard mode, or any other. Only the promoter may change the
weights.
"""

from collections.abc import Sequence
from typing import Self

from scripts.rollout.cluster import pods
from scripts.rollout.cluster.client import Cluster, Object
from scripts.rollout.errors import RolloutError
from scripts.rollout.metrics.port import METRICS_PAGE, Metrics, Pages
from scripts.rollout.metrics.scrape import Scrape
from scripts.rollout.policy.policy import Target
from scripts.rollout.state.actions import Warmed, WarmUp
from scripts.rollout.state.observation import View
from scripts.rollout.state.state import FULL
from scripts.rollout.traffic import httproute, warming
from scripts.rollout.traffic.fence import Fence
from scripts.rollout.traffic.port import Place


class GatewayTraffic:
    """The traffic of one HTTPRoute."""

    @classmethod
    def of(cls, place: Place, target: Target, counted_by: str) -> Self:
        """Return the traffic of a policy's HTTPRoute. Raises RolloutError."""
        return cls(Cluster.of(place.context), target, counted_by)

    def __init__(self, cluster: Cluster, target: Target, counted_by: str) -> None:
        """Check the target. Raises RolloutError unless the route has two Services."""
        self.counted_by, self.http = counted_by, cluster.http
        self._cluster, self._container = cluster, target.container or ""
        self._namespace, self._name = target.namespace, target.name
        self._path = httproute.route_path(self._namespace, self._name)
        self._fence = Fence(self._name)
        arms = self._arms(cluster.applied(self._path, "HTTPRoute", self._name))
        if self._container:
            found = [pod for arm in arms for pod in self._pods(arm)]
            pods.check(found, self._container)

    def _arms(self, route: Object) -> tuple[str, str]:
        names = [each["name"] for each in httproute.backends(route)]
        if len(names) != 2 or len(set(names)) != 2:
            raise RolloutError(
                f"HTTPRoute {self._name}: expected one rule with two backendRefs, "
                f"stable and canary, got {names}"
            )
        return names[0], names[1]

    def observe(self) -> View:
        """Read the weights, whether the gateways report them in force, and the pods."""
        route = self._cluster.get(self._path)
        self._fence.see(route)
        stable, canary = self._arms(route)
        found = {name: self._pods(name) for name in (stable, canary)}
        shares = httproute.shares(route)
        replicas = {
            name: pods.total(each, self._container) for name, each in found.items()
        }
        is_ready = replicas[canary].ready > 0
        weight = shares.get(canary, 0)
        has_all = weight == FULL
        return View(
            created=canary,
            ready=canary if is_ready else stable,
            rolledout=canary if has_all else stable,
            percent=None if has_all else weight,
            routed=shares if httproute.is_in_force(route) else {},
            replicas=replicas,
            asked=f"weights {FULL - weight}/{weight}",
            danger=self._danger(canary) if has_all else "",
        )

    def _danger(self, canary: str) -> str:
        return (
            f"{canary} has all traffic already; make it the first backendRef and the "
            "new version's Service the second, with weight 0"
        )

    def promote(self) -> None:
        """Give the canary's Service all traffic. Raises RemoteError."""
        self.set_weight(FULL)

    def set_weight(self, percent: int) -> None:
        """Set both weights, on the resourceVersion just read. Raises RemoteError."""
        route = self._cluster.get(self._path)
        self._fence.check(route)
        weights = FULL - percent, percent
        for backend, weight in zip(httproute.backends(route), weights, strict=True):
            backend["weight"] = weight
        change = {"spec": {"rules": route["spec"]["rules"]}}
        self._fence.see(self._cluster.patch(self._path, route, change))

    def warm_up(self, asked: WarmUp) -> Warmed:
        """Send a round of requests to the canary's pods, past the gateway."""
        _, canary = self._arms(self._cluster.get(self._path))
        found = self._pods(canary)
        model = pods.model_of(found, canary, self._container)
        doors = [self._urls(pod)[1] for pod in found if pods.is_ready(pod)]
        return warming.warm_up(warming.http_doors(self._cluster, doors, model), asked)

    def metrics(self) -> Metrics:
        """Return the counters on the predictors' metrics pages."""
        return Scrape(self._namespace, self.pages, http=self.http)

    def pages(self, revisions: Sequence[str]) -> Pages | None:
        """Return the metrics pages of all ready pods behind these Services."""
        arms, doors = {}, {}
        for name in revisions:
            for pod in filter(pods.is_ready, self._pods(name)):
                page, doors[page] = self._urls(pod)
                arms[page] = name
        pages = tuple(arms)
        return Pages(predictors=pages, arms=arms, doors=doors, with_http=True)

    def _urls(self, pod: Object) -> tuple[str, str]:
        """Return the URLs of a pod's metrics page and of its predictions."""
        metrics = pods.metrics_port(pod, self._container)
        serving = pods.serving_port(pod, self._container)
        page = self._cluster.pod_url(pod, metrics, METRICS_PAGE)
        return page, self._cluster.pod_url(pod, serving, "")

    def _pods(self, service: str) -> list[Object]:
        root = f"/api/v1/namespaces/{self._namespace}"
        found = self._cluster.find(f"{root}/services/{service}")
        if found is None:
            return []
        return pods.find_pods(self._cluster, self._namespace, found["spec"]["selector"])
