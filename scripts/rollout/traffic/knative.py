"""Sets canaryTrafficPercent of an InferenceService in Knative mode.

It writes no other field, and never metadata, which would make a new revision. The
split in force is read from the Knative Service's `status.traffic`, once that has
observed its newest generation; never from `Ready`.
"""

from collections.abc import Sequence
from typing import Self

from scripts.inference.clients import model_name
from scripts.rollout.cluster import managed, pods
from scripts.rollout.cluster.client import (
    Cluster,
    Object,
    condition,
    service_path,
    why_not,
)
from scripts.rollout.errors import RolloutError
from scripts.rollout.metrics.envoy import PROXY_PAGE
from scripts.rollout.metrics.port import Metrics, Pages
from scripts.rollout.metrics.scrape import Scrape
from scripts.rollout.policy.backends import PERCENT_FIELD
from scripts.rollout.policy.policy import Target
from scripts.rollout.state.actions import Warmed, WarmUp
from scripts.rollout.state.observation import View
from scripts.rollout.traffic import knative_objects, percent_field, warming
from scripts.rollout.traffic.fence import Fence
from scripts.rollout.traffic.port import Place

ROLLOUT_DURATION = "serving.knative.dev/rollout-duration"
GATEWAYS = "kourier-system", {"app": "3scale-kourier-gateway"}
ACTIVATOR = "knative-serving", {"app": "activator"}
# Envoy's statistics in Kourier, queue-proxy's metrics, the activator's HTTP.
GATEWAY_PORT, QUEUE_PORT, ACTIVATOR_PORT = 9000, 9091, 8012
# What Kourier's Envoy and queue-proxy count of gRPC is HTTP's status: always 200.
OF_GRPC = (
    "in Knative mode only a predictor of this repository says which gRPC calls failed; "
    "for another server use backend: gateway (manifests/standard-mode) or counts: istio"
)


class KnativeTraffic:
    """The traffic of one InferenceService in Knative mode."""

    @classmethod
    def of(cls, place: Place, target: Target, counted_by: str) -> Self:
        """Return the traffic of a policy's InferenceService. Raises RolloutError."""
        return cls(Cluster.of(place.context), target, counted_by)

    def __init__(self, cluster: Cluster, target: Target, counted_by: str) -> None:
        """Check the target. Raises RolloutError if a rollout would be unsafe."""
        self._cluster, self._container = cluster, target.container or ""
        namespace, name = target.namespace, target.name
        self._namespace, self._name = namespace, name
        self._service = service_path(namespace, name)
        self._fence = Fence(name)
        self._routes = (
            f"/apis/serving.knative.dev/v1/namespaces/{namespace}"
            f"/services/{name}-predictor"
        )
        document = _applied(cluster, self._service, name)
        annotations = document["metadata"].get("annotations", {})
        if ROLLOUT_DURATION in annotations:
            raise RolloutError(
                f"{name}: the annotation {ROLLOUT_DURATION} moves traffic by time; "
                "remove it first"
            )
        if self._container:
            pods.check(self._pods(), self._container)
        by_predictor = self._is_grpc(document) and counted_by != "istio"
        self.counted_by = "grpc" if by_predictor else counted_by
        self.http = cluster.http

    def observe(self) -> View:
        """Read revisions from KServe, routes from Knative, replicas from the pods."""
        document = self._cluster.get(self._service)
        service = self._cluster.get(self._routes)
        return self._view(document, service, self._pods())

    def _view(self, document: Object, service: Object, mine: list[Object]) -> View:
        predictor = knative_objects.known(document)
        created = knative_objects.created(document)
        is_made = knative_objects.is_made(document, service)
        self._fence.see_template(
            knative_objects.template(document), created, made=is_made
        )
        self._fence.see(document)
        ready = predictor.get("latestReadyRevision", "")
        replicas = pods.replicas(mine, knative_objects.of_pod, self._container)
        has_pods = created in replicas and replicas[created].ready > 0
        field = "spec", "predictor", PERCENT_FIELD
        writer, written = managed.last_writer(document, *field)
        view = View(
            created=created,
            ready=ready,
            rolledout=predictor.get("latestRolledoutRevision", ""),
            previous=predictor.get("previousRolledoutRevision", ""),
            percent=document["spec"]["predictor"].get(PERCENT_FIELD),
            routed=knative_objects.routed(service),
            replicas=replicas,
            failure="" if created == ready else self._failure(created),
            blocked=knative_objects.blocked(service),
            is_idle=created == ready and not has_pods and self._is_idle(created),
            writer=writer,
            written=written,
        )
        return percent_field.explain(view)

    def _failure(self, revision: str) -> str:
        """Return why a revision can never become ready, "" while it may."""
        return why_not(self._revision_status(revision), "Ready")

    def _is_idle(self, revision: str) -> bool:
        """Return whether Knative scaled a revision to zero because no request came."""
        active = condition(self._revision_status(revision), "Active")
        return active.get("status") == "False" and active.get("reason") == "NoTraffic"

    def _revision_status(self, revision: str) -> Object:
        path = f"/apis/serving.knative.dev/v1/namespaces/{self._namespace}/revisions"
        status: Object = self._cluster.get(f"{path}/{revision}").get("status", {})
        return status

    def set_weight(self, percent: int) -> None:
        """Set the percent field. Raises RemoteError."""
        self._patch(percent)

    def promote(self) -> None:
        """Remove the percent field. Raises RemoteError."""
        self._patch(None)

    def _patch(self, percent: int | None) -> None:
        """Patch one field, on the resourceVersion that was just read.

        A weight is applied: so it is ours even where somebody else's is equal, and
        stays when they give theirs up. 0 % is right for whichever revision is newest.
        """
        read = self._cluster.get(self._service)
        if percent != 0:
            self._fence.check(read, knative_objects.created(read))
        change = {"spec": {"predictor": {PERCENT_FIELD: percent}}}
        write = self._cluster.patch if percent is None else self._cluster.apply
        self._fence.see(write(self._service, read, change))

    def warm_up(self, asked: WarmUp) -> Warmed:
        """Send a round of requests to the canary's pods, past the gateway.

        A canary that is scaled to zero is woken as Knative does it: by the activator.
        """
        document = self._cluster.get(self._service)
        newest = document["status"]["components"]["predictor"]["latestReadyRevision"]
        model = model_name(self._serving(document).get("args", ()), self._name)
        mine = [pod for pod in self._pods() if knative_objects.of_pod(pod) == newest]
        if any(map(pods.is_ready, mine)):
            doors = pods.urls(self._cluster, mine, path="")
            found = warming.http_doors(self._cluster, doors, model, asked)
            return warming.warm_up(found, asked)
        headers = {
            "Knative-Serving-Namespace": self._namespace,
            "Knative-Serving-Revision": newest,
        }
        activators = pods.find_pods(self._cluster, *ACTIVATOR)
        doors = pods.urls(self._cluster, activators, ACTIVATOR_PORT, "")
        found = warming.http_doors(self._cluster, doors, model, asked, headers)
        return warming.warm_up(found, asked)

    def metrics(self) -> Metrics:
        """Return the counters on the metrics pages of gateways and pods."""
        return Scrape(self._namespace, self.pages, http=self.http)

    def pages(self, revisions: Sequence[str]) -> Pages | None:
        """Return the metrics pages of gateways and of these revisions' ready pods."""
        cluster, counted_by = self._cluster, self.counted_by
        proxies = pods.find_pods(cluster, *GATEWAYS) if counted_by == "gateway" else []
        mine = self._pods()
        if counted_by == "gateway" and not proxies:
            return None
        both = [pod for pod in mine if knative_objects.of_pod(pod) in revisions]
        queued = both if counted_by == "queue-proxy" else []
        return Pages(
            gateways=pods.urls(cluster, proxies, GATEWAY_PORT, PROXY_PAGE),
            queues=pods.urls(cluster, queued, QUEUE_PORT),
            predictors=pods.urls(cluster, both),
            with_http=counted_by == "predictor",
            unread=OF_GRPC if counted_by == "grpc" else "",
        )

    def _serving(self, document: Object) -> Object:
        """Return the serving container: a custom predictor's or a runtime's model."""
        predictor = document["spec"]["predictor"]
        containers: list[Object] = predictor.get("containers") or [
            {**predictor.get("model", {}), "name": pods.CONTAINER}
        ]
        return pods.model_container(containers, self._container)

    def _is_grpc(self, document: Object) -> bool:
        ports = self._serving(document).get("ports", ())
        return any(port.get("name") == "h2c" for port in ports)

    def _pods(self) -> list[Object]:
        return pods.find_pods(self._cluster, self._namespace, {pods.OWNER: self._name})


def _applied(cluster: Cluster, path: str, name: str) -> Object:
    document = cluster.applied(path, "InferenceService", name)
    mode = document.get("status", {}).get("deploymentMode", "Knative")
    if mode not in ("Knative", "Serverless"):
        raise RolloutError(
            f"{name}: deployed in {mode} mode; use target.backend: standard or gateway"
        )
    return document
