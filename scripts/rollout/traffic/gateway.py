"""Sets the weights of one rule of an HTTPRoute with two backends.

The rule's first backendRef is the stable, its second the canary; each is the Service
of an InferenceService in Standard mode, any other Service, or an InferencePool. Only
the promoter may change the weights.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Self

from scripts.rollout.cluster import managed, pods
from scripts.rollout.cluster.client import Cluster, Object
from scripts.rollout.metrics.port import METRICS_PAGE, Metrics, Pages
from scripts.rollout.metrics.scrape import Scrape
from scripts.rollout.policy.policy import Target
from scripts.rollout.state.actions import Warmed, WarmUp
from scripts.rollout.state.observation import View
from scripts.rollout.state.state import FULL
from scripts.rollout.traffic import warming
from scripts.rollout.traffic.fence import Fence
from scripts.rollout.traffic.port import Place
from scripts.rollout.traffic.routes import behind, group, httproute, ingress
from scripts.rollout.traffic.routes.behind import Behind

OVER_GRPC = "a gRPC server is sent none"


class GatewayTraffic:
    """The traffic of one rule of one HTTPRoute."""

    @classmethod
    def of(cls, place: Place, target: Target, counted_by: str) -> Self:
        """Return the traffic of a policy's HTTPRoute. Raises RolloutError."""
        return cls(Cluster.of(place.context), target, counted_by)

    def __init__(self, cluster: Cluster, target: Target, counted_by: str) -> None:
        """Check the target. Raises RolloutError unless a rule has two backends.

        Where the route's gateways cannot be asked, the predictors count.
        """
        self.counted_by, self.http = counted_by, cluster.http
        self._cluster, self._container = cluster, target.container or ""
        self._namespace, self._name = target.namespace, target.name
        self._wanted, self._doubts = target.rule or "", tuple[str, ...]()
        self._path = httproute.route_path(self._namespace, self._name)
        self._fence = Fence(self._name)
        route = cluster.applied(self._path, "HTTPRoute", self._name)
        found = list(self._behind(self._rule(route)))
        if self._container:
            mine = [pod for each in found for pod in each.pods]
            pods.check(mine, self._container)
        if counted_by == "gateway":
            self._count(route)

    def _rule(self, route: Object) -> Object:
        return httproute.rule(route, self._wanted)

    def _count(self, route: Object) -> None:
        """Choose who counts, and keep what is to be said about it."""
        rule = self._rule(route)
        found = ingress.find(self._cluster, route, rule)
        others = httproute.others(route, rule)
        if not found.pages:
            self.counted_by = "predictor"
            told = (
                f"counts: predictor, because the gateway cannot be asked: {found.why}"
            )
            self._doubts = (told,)
        elif others:
            told = (
                "counts: a gateway counts by Service, not by rule: requests of the "
                f"rules {', '.join(others)} count too"
            )
            self._doubts = (told,)

    def observe(self) -> View:
        """Read the weights, whether the gateways report them in force, and the pods."""
        route = self._cluster.get(self._path)
        self._fence.see(route)
        rule = self._rule(route)
        found = {each.name: each.pods for each in self._behind(rule)}
        stable, canary = found
        shares = httproute.shares([rule])
        replicas = {
            name: pods.total(each, self._container) for name, each in found.items()
        }
        is_ready = replicas[canary].ready > 0
        weight = shares.get(canary, 0)
        has_all = weight == FULL
        writer, written = managed.last_writer(route, "spec", "rules")
        return View(
            created=canary,
            ready=canary if is_ready else stable,
            rolledout=canary if has_all else stable,
            percent=None if has_all else weight,
            routed=shares if httproute.is_in_force(route) else {},
            replicas=replicas,
            asked=f"weights {FULL - weight}/{weight}",
            danger=self._danger(canary) if has_all else "",
            writer=writer,
            written=written,
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
        references = httproute.backends(self._rule(route))
        for backend, weight in zip(references, weights, strict=True):
            backend["weight"] = weight
        change = {"spec": {"rules": route["spec"]["rules"]}}
        self._fence.see(self._cluster.patch(self._path, route, change))

    def warm_up(self, asked: WarmUp) -> Warmed:
        """Send a round of requests to the canary's pods, past the gateway."""
        _, canary = self._behind(self._rule(self._cluster.get(self._path)))
        if canary.is_grpc:
            return Warmed(0, 0, refused=(OVER_GRPC,))
        model = pods.model_of(canary.pods, canary.name, self._container)
        urls = [self._urls(canary, pod)[1] for pod in canary.ready]
        found = warming.http_doors(self._cluster, urls, model, asked)
        return warming.warm_up(found, asked)

    def metrics(self) -> Metrics:
        """Return the counters of the gateways or on the predictors' metrics pages."""
        return Scrape(self._namespace, self.pages, http=self.http)

    def pages(self, revisions: Sequence[str]) -> Pages | None:
        """Return the metrics pages of the gateways and of all ready pods."""
        route = self._cluster.get(self._path)
        rule = self._rule(route)
        found = ingress.Envoys()
        if self.counted_by == "gateway":
            found = ingress.find(self._cluster, route, rule)
            if not found.pages:
                return None
        arms, doors = {}, {}
        for arm in self._behind(rule):
            for pod in arm.ready if arm.name in revisions else ():
                page, doors[page] = self._urls(arm, pod)
                arms[page] = arm.name
        return Pages(
            gateways=found.pages,
            predictors=tuple(arms),
            arms=arms,
            doors=doors,
            clusters=found.clusters,
            with_http=not found.pages,
            with_grpc=not found.pages,
            doubts=self._doubts,
        )

    def _urls(self, arm: Behind, pod: Object) -> tuple[str, str]:
        """Return the URLs of a pod's metrics page and of its predictions."""
        serving = arm.port(pod, self._container)
        metrics = pods.metrics_port(pod, self._container, serving)
        page = self._cluster.pod_url(pod, metrics, METRICS_PAGE)
        return page, self._cluster.pod_url(pod, serving, "")

    def _behind(self, rule: Object) -> Iterator[Behind]:
        """Yield the stable's pods, then the canary's."""
        for reference in httproute.backends(rule):
            yield behind.find(self._cluster, reference, self._namespace)


class GroupTraffic(GatewayTraffic):
    """The traffic of two LLMInferenceServices of one group, by their weights.

    What really routes is read from the HTTPRoute that KServe makes for the canary.
    """

    def __init__(self, cluster: Cluster, target: Target, counted_by: str) -> None:
        """Check the target. Raises RolloutError unless its group has two members."""
        self._member = target.name
        group.members(cluster, target.namespace, self._member)
        route = {"route": group.route_name(self._member), "backend": "gateway"}
        super().__init__(cluster, target.model_copy(update=route), counted_by)

    def _rule(self, route: Object) -> Object:
        return group.shared_rule(route, self._member)

    def _members(self) -> group.Group:
        return group.members(self._cluster, self._namespace, self._member)

    def observe(self) -> View:
        """Read the weights that are set from both members, the rest from the route."""
        found = self._members()
        percent = found.percent
        writers = [managed.last_writer(each, *group.WEIGHT) for each in found]
        writer, written = max(writers, key=lambda each: each[1])
        return replace(
            super().observe(),
            percent=None if percent == FULL else percent,
            asked=f"weights {FULL - percent}/{percent}",
            writer=writer,
            written=written,
        )

    def set_weight(self, percent: int) -> None:
        """Set both members' weights, if the route is as it was seen."""
        self._fence.check(self._cluster.get(self._path))
        group.set_weights(self._cluster, self._namespace, self._members(), percent)
