"""Sets ingress-nginx's `canary-weight`, an annotation of the second of two Ingresses.

The policy names the stable's Ingress. The controller reports no weight, so one is taken
to be in force a moment after it was written; the counted split shows whether it is.
"""

import time
from collections.abc import Sequence
from typing import Self

from scripts.rollout.cluster import managed, pods
from scripts.rollout.cluster.client import Cluster, Object
from scripts.rollout.errors import Conflict
from scripts.rollout.metrics.port import METRICS_PAGE, Metrics, Pages
from scripts.rollout.metrics.scrape import Scrape
from scripts.rollout.policy.policy import Target
from scripts.rollout.state.actions import Warmed, WarmUp
from scripts.rollout.state.observation import View
from scripts.rollout.state.state import FULL
from scripts.rollout.traffic import warming
from scripts.rollout.traffic.port import Place
from scripts.rollout.traffic.routes import behind, canary_ingress
from scripts.rollout.traffic.routes.behind import Behind
from scripts.rollout.traffic.routes.canary_ingress import WEIGHT, Pair

# The controller syncs 0.3 times a second by default (--sync-rate-limit).
IN_FORCE_S = 4.0


class IngressNginxTraffic:
    """The traffic of one Ingress and of the canary's beside it."""

    @classmethod
    def of(cls, place: Place, target: Target, counted_by: str) -> Self:
        """Return the traffic of a policy's Ingress. Raises RolloutError."""
        return cls(Cluster.of(place.context), target, counted_by)

    def __init__(self, cluster: Cluster, target: Target, counted_by: str) -> None:
        """Check the target. Raises RolloutError unless one canary is beside it."""
        self.counted_by, self.http = counted_by, cluster.http
        self._cluster, self._container = cluster, target.container or ""
        self._namespace, self._name = target.namespace, target.name
        self._path = canary_ingress.ingress_path(self._namespace, self._name)
        stable = cluster.applied(self._path, "Ingress", self._name)
        every = cluster.get(canary_ingress.ingresses_path(self._namespace))["items"]
        beside = canary_ingress.beside(stable, every)
        self._canary = canary_ingress.ingress_path(self._namespace, beside)
        self._seen: Pair | None = None
        self._changed: float | None = None
        arms = self._arms(self._pair())
        if self._container:
            mine = [pod for arm in arms for pod in arm.pods]
            pods.check(mine, self._container)

    def _read(self) -> tuple[Object, Object]:
        return self._cluster.get(self._path), self._cluster.get(self._canary)

    def _pair(self) -> Pair:
        return Pair.of(*self._read())

    def _arms(self, pair: Pair) -> tuple[Behind, Behind]:
        """Return the stable's pods, and the canary's."""
        cluster, namespace = self._cluster, self._namespace
        stable = behind.find(cluster, pair.stable, namespace)
        return stable, behind.find(cluster, pair.canary, namespace)

    def observe(self) -> View:
        """Read the weight that is set, who wrote it, and the pods."""
        read = self._read()
        pair = Pair.of(*read)
        self._see(pair)
        stable, canary = pair.names
        arms = self._arms(pair)
        has_all = pair.weight == FULL
        shares = {stable: FULL - pair.weight, canary: pair.weight}
        field = "metadata", "annotations", WEIGHT
        writer, written = managed.last_writer(read[1], *field)
        return View(
            created=canary,
            ready=canary if arms[1].ready else stable,
            rolledout=canary if has_all else stable,
            percent=None if has_all else pair.weight,
            routed=shares if self._is_in_force() else {},
            replicas={arm.name: pods.total(arm.pods, self._container) for arm in arms},
            asked=f"canary-weight {pair.weight}",
            danger=self._danger(canary) if has_all else "",
            writer=writer,
            written=written,
        )

    def _danger(self, canary: str) -> str:
        return (
            f"{canary} has all traffic already; make it the Service of Ingress "
            f"{self._name}, and the new version's that of the other with canary-weight "
            "0"
        )

    def _see(self, pair: Pair) -> None:
        """Keep what a look or a write has seen, and when the weight became another."""
        if self._seen is not None and self._seen.weight != pair.weight:
            self._changed = time.monotonic()
        self._seen = pair

    def _is_in_force(self) -> bool:
        """Return whether the controller has had the time to take the weight over."""
        since = self._changed
        return since is None or time.monotonic() - since >= IN_FORCE_S

    def promote(self) -> None:
        """Give the canary's Service all traffic. Raises RemoteError."""
        self.set_weight(FULL)

    def set_weight(self, percent: int) -> None:
        """Apply the annotation, if all is as it was seen. Raises RemoteError."""
        stable, canary = self._read()
        if Pair.of(stable, canary) != self._seen:
            raise Conflict(409, f"{self._name}: changed since the last look")
        kept = {key: canary["metadata"][key] for key in ("name", "resourceVersion")}
        change = {"metadata": {**kept, "annotations": {WEIGHT: str(percent)}}}
        written = self._cluster.apply(self._canary, canary, change)
        self._see(Pair.of(stable, written))

    def warm_up(self, asked: WarmUp) -> Warmed:
        """Send a round of requests to the canary's pods, past the controller."""
        _, canary = self._arms(self._pair())
        model = pods.model_of(canary.pods, canary.name, self._container)
        urls = [self._urls(canary, pod)[1] for pod in canary.ready]
        doors = warming.http_doors(self._cluster, urls, model, asked)
        return warming.warm_up(doors, asked)

    def metrics(self) -> Metrics:
        """Return the counters on the predictors' metrics pages."""
        return Scrape(self._namespace, self.pages, http=self.http)

    def pages(self, revisions: Sequence[str]) -> Pages | None:
        """Return the metrics pages of all ready pods of these revisions."""
        arms, doors = {}, {}
        for arm in self._arms(self._pair()):
            for pod in arm.ready if arm.name in revisions else ():
                page, doors[page] = self._urls(arm, pod)
                arms[page] = arm.name
        return Pages(predictors=tuple(arms), arms=arms, doors=doors, with_http=True)

    def _urls(self, arm: Behind, pod: Object) -> tuple[str, str]:
        """Return the URLs of a pod's metrics page and of its predictions."""
        serving = arm.port(pod, self._container)
        metrics = pods.metrics_port(pod, self._container, serving)
        page = self._cluster.pod_url(pod, metrics, METRICS_PAGE)
        return page, self._cluster.pod_url(pod, serving, "")
