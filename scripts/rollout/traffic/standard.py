"""Sets spec.canary[].trafficPercent of an InferenceService in Standard mode.

The split in force is read from the HTTPRoute that KServe makes, never from
`canaryStatuses`: KServe 0.20.0 reports a canary ready there and routes nothing to it.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Self

from scripts.rollout.cluster import managed, pods
from scripts.rollout.cluster.client import Cluster, Object, service_path
from scripts.rollout.errors import RolloutError
from scripts.rollout.metrics.port import Metrics, Pages
from scripts.rollout.metrics.scrape import Scrape
from scripts.rollout.policy.policy import Target
from scripts.rollout.state.actions import Warmed, WarmUp
from scripts.rollout.state.observation import View
from scripts.rollout.state.state import FULL
from scripts.rollout.traffic import warming
from scripts.rollout.traffic.fence import Fence
from scripts.rollout.traffic.port import Place
from scripts.rollout.traffic.routes import httproute

# KServe writes the route a moment after the status; a longer delay is a failure.
PATIENCE_S = 10.0
UNROUTED = (
    "KServe reports the canary ready and its HTTPRoute has no part for it, as 0.20.0 "
    "does; use target.backend: gateway (manifests/standard-mode)"
)


class StandardTraffic:
    """The traffic of one InferenceService with one canary."""

    @classmethod
    def of(cls, place: Place, target: Target, counted_by: str) -> Self:
        """Return the traffic of a policy's InferenceService. Raises RolloutError."""
        return cls(Cluster.of(place.context), target, counted_by)

    def __init__(self, cluster: Cluster, target: Target, counted_by: str) -> None:
        """Check the target. Raises RolloutError unless it has one canary to route."""
        self.counted_by, self.http = counted_by, cluster.http
        self._cluster, self._container = cluster, target.container or ""
        namespace, name = target.namespace, target.name
        self._namespace, self._name = namespace, name
        self._path = service_path(namespace, name)
        self._fence = Fence(name)
        self._route = httproute.route_path(namespace, name)
        self._unrouted_since: float | None = None
        document = cluster.applied(self._path, "InferenceService", name)
        mode = document.get("status", {}).get("deploymentMode", "Standard")
        if mode != "Standard":
            raise RolloutError(f"{name}: deployed in {mode} mode, not in Standard")
        if len(document["spec"].get("canary") or ()) > 1:
            raise RolloutError(f"{name}: expected one canary in spec.canary, got more")
        if self._container:
            pods.check(self._pods(), self._container)
        if self._is_unrouted(self.observe()):
            raise RolloutError(f"{name}: {UNROUTED}")

    def observe(self) -> View:
        """Read the split that is set, and the routes of the HTTPRoute."""
        document = self._cluster.get(self._path)
        self._fence.see(document)
        route = self._cluster.get(self._route)
        found = self._pods()
        stable = self._service(document["spec"]["predictor"])
        entries = document["spec"].get("canary") or []
        canary = self._service(entries[0]["predictor"]) if entries else stable
        percent = entries[0].get("trafficPercent", 0) if entries else None
        replicas = pods.replicas(found, _service_of, self._container)
        is_ready = canary in replicas and replicas[canary].ready > 0
        shares = httproute.shares(route["spec"].get("rules", []))
        writer, written = managed.last_writer(document, "spec", "canary")
        view = View(
            created=canary,
            ready=canary if is_ready else stable,
            rolledout=stable,
            percent=percent,
            routed=shares if httproute.is_in_force(route) else {},
            replicas=replicas,
            asked=f"trafficPercent {'absent' if percent is None else percent}",
            danger=_danger(percent),
            writer=writer,
            written=written,
        )
        return replace(view, failure=self._failure(view))

    def _failure(self, view: View) -> str:
        """Return a failure if the route lacks the canary for more than PATIENCE_S."""
        if not self._is_unrouted(view):
            self._unrouted_since = None
            return ""
        now = time.monotonic()
        self._unrouted_since = self._unrouted_since or now
        return UNROUTED if now - self._unrouted_since > PATIENCE_S else ""

    def _is_unrouted(self, view: View) -> bool:
        is_due = bool(view.percent) and view.ready == view.created != view.rolledout
        return is_due and bool(view.routed) and view.created not in view.routed

    def set_weight(self, percent: int) -> None:
        """Set the canary's trafficPercent. Raises RemoteError."""
        document, canary = self._canary()
        spec = {"canary": [{**canary, "trafficPercent": percent}]}
        self._fence.see(self._cluster.patch(self._path, document, {"spec": spec}))

    def promote(self) -> None:
        """Make the canary the predictor, in one patch. Raises RemoteError."""
        document, canary = self._canary()
        spec = {"predictor": canary["predictor"], "canary": None}
        self._fence.see(self._cluster.patch(self._path, document, {"spec": spec}))

    def _canary(self) -> tuple[Object, Object]:
        """Return the InferenceService and its one canary. Raises RolloutError."""
        document = self._cluster.get(self._path)
        entries = document["spec"].get("canary") or []
        if not entries:
            raise RolloutError(
                f"{self._name}: no canary in spec.canary; Standard mode forgets what "
                "was before a promotion, so apply that manifest again"
            )
        self._fence.check(document)
        return document, entries[0]

    def warm_up(self, asked: WarmUp) -> Warmed:
        """Send a round of requests to the canary's pods, past the gateway."""
        entry = self._cluster.get(self._path)["spec"]["canary"][0]
        canary = self._service(entry["predictor"])
        found = self._pods()
        mine = [pod for pod in found if _service_of(pod) == canary]
        model = pods.model_of(mine, self._name, self._container)
        doors = pods.urls(self._cluster, mine, path="")
        return warming.warm_up(
            warming.http_doors(self._cluster, doors, model, asked), asked
        )

    def metrics(self) -> Metrics:
        """Return the counters on the predictors' metrics pages."""
        return Scrape(self._namespace, self.pages, http=self.http)

    def pages(self, revisions: Sequence[str]) -> Pages | None:
        """Return the metrics pages of all ready pods of these revisions."""
        found = self._pods()
        arms = {
            url: _service_of(pod)
            for pod in found
            if _service_of(pod) in revisions
            for url in pods.urls(self._cluster, [pod])
        }
        return Pages(predictors=tuple(arms), arms=arms, with_http=True)

    def _service(self, predictor: Object) -> str:
        """Return the name that KServe gives to a predictor's Service."""
        middle = f"-{predictor['name']}" if predictor.get("name") else ""
        return f"{self._name}{middle}-predictor"

    def _pods(self) -> list[Object]:
        return pods.find_pods(self._cluster, self._namespace, {pods.OWNER: self._name})


def _danger(percent: int | None) -> str:
    if percent != FULL:
        return ""
    return "the canary's trafficPercent is 100 already; patch it to 0 first"


def _service_of(pod: Object) -> str:
    """Return a pod's Service: KServe's label `app` is `isvc.` and its name."""
    return str(pod["metadata"]["labels"].get("app", "")).removeprefix("isvc.")
