"""Sets canaryTrafficPercent of an InferenceService in local mode, behind a real Envoy.

The percent is set as `kubectl patch` sets it; the split in force is read from Envoy's
configuration dump.
"""

import itertools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import urllib3

from scripts.inference import clients
from scripts.inference.clients import Ask, connect, model_name
from scripts.local import container, manifest, processes, status
from scripts.local.background import is_running
from scripts.local.envoy import ROLE, Admin
from scripts.local.envoy_config import host_name
from scripts.local.errors import LocalError
from scripts.local.rules import LATEST
from scripts.local.store import Store
from scripts.rollout.bounded import in_time
from scripts.rollout.errors import NotFound, RolloutError, Unreachable
from scripts.rollout.metrics.envoy import PROXY_PAGE
from scripts.rollout.metrics.port import Metrics, Pages
from scripts.rollout.metrics.scrape import Scrape
from scripts.rollout.policy.policy import Target
from scripts.rollout.state.actions import Warmed, WarmUp
from scripts.rollout.state.observation import Replicas, View
from scripts.rollout.traffic import percent_field, warming
from scripts.rollout.traffic.port import Place
from scripts.rollout.traffic.warming import Door

POOL_SIZE = 32  # connections: one per page that is read at once
WARM_UP_TEXTS = ("hello", "where is my order?", "never again", "thanks a lot")


class LocalTraffic:
    """The traffic of one InferenceService of a state folder."""

    @classmethod
    def of(cls, place: Place, target: Target, counted_by: str) -> Self:
        """Return the traffic of a policy's InferenceService. Raises RolloutError."""
        return cls(Store(place.folder), target, counted_by)

    def __init__(self, store: Store, target: Target, counted_by: str) -> None:
        """Check the target. Raises RolloutError unless it was applied."""
        self._store = store
        self._namespace, self._name = target.namespace, target.name
        self._key = f"{self._namespace}.{self._name}"
        self._admin: Admin | None = None
        document = store.object(self._key)
        if document is None:
            raise RolloutError(
                f"InferenceService {self._key} not found in {store.folder}; "
                f"apply it first: python -m scripts.local apply -f FILE{_elsewhere()}"
            )
        served = container.read(manifest.template(document))
        self.counted_by = "grpc" if served.is_http2 else counted_by
        self.http = in_time(urllib3.PoolManager(maxsize=POOL_SIZE, retries=False))
        self._model = model_name(served.args, self._name)
        self._has_tags = manifest.has_tag_routing(document)

    def observe(self) -> View:
        """Read revisions from the supervisor, routes from Envoy. Raises RemoteError."""
        document = self._store.object(self._key)
        if document is None:
            raise NotFound(404, f"InferenceService {self._key} was deleted")
        if not is_running(self._store):
            raise Unreachable(f"nobody serves {self._store.folder}; apply it again")
        routed = self._routed()
        if routed is None:
            raise Unreachable("Envoy does not answer at its admin port")
        state, current = self._store.state(self._key), self._store.status(self._key)
        is_failed = status.is_ready(current) is False
        view = View(
            created=state.latest_created,
            ready=state.latest_ready,
            rolledout=state.latest_rolledout,
            percent=manifest.percent(document),
            routed=routed,
            replicas={
                pod.revision: Replicas(int(pod.is_ready), pod.restarts)
                for pod in self._store.pods(self._key)
            },
            failure=status.message(current) if is_failed else "",
            previous=state.previous_rolledout,
        )
        return percent_field.explain(view)

    def set_weight(self, percent: int) -> None:
        """Set the percent field. Raises Unreachable."""
        self._patch(percent)

    def promote(self) -> None:
        """Remove the percent field. Raises Unreachable."""
        self._patch(None)

    def _patch(self, percent: int | None) -> None:
        """Patch one field, as `kubectl patch` does."""
        try:
            self._store.patch_percent(self._key, percent)
        except (LocalError, OSError) as error:
            raise Unreachable(str(error)) from error

    def warm_up(self, asked: WarmUp) -> Warmed:
        """Send a round of requests to the tag `latest`; without tag routing, send none.

        A revision has one process here.
        """
        if not self._has_tags:
            return Warmed(0, 0)
        host = f"{LATEST}-{host_name(self._name, self._namespace)}"
        url = f"127.0.0.1:{self._store.gateway_port()}"
        protocols = ("grpc",) if self.counted_by == "grpc" else ("v1", "v2")
        target = clients.Target(url, host, self._model)
        doors = [Door(url, each, _asker(connect(each, target))) for each in protocols]
        return warming.warm_up(doors, asked)

    def metrics(self) -> Metrics:
        """Return the counters on the metrics pages of Envoy and the predictors."""
        return Scrape(self._namespace, self.pages, http=self.http)

    def pages(self, revisions: Sequence[str]) -> Pages | None:
        """Return the metrics pages of these revisions, None without a gateway."""
        admin = self._find_admin()
        if admin is None:
            return None
        urls = [
            pod.metrics_url
            for pod in self._store.pods(self._key)
            if pod.revision in revisions and pod.is_ready and pod.metrics_url
        ]
        return Pages(
            gateways=(admin.url + PROXY_PAGE,) if self.counted_by == "gateway" else (),
            predictors=tuple(urls),
            with_http=self.counted_by == "predictor",
        )

    def _routed(self) -> dict[str, int] | None:
        admin = self._find_admin()
        if admin is None:
            return None
        weights = admin.weights(host_name(self._name, self._namespace))
        if weights is None:
            self._admin = None
            return None
        return {name.partition("/")[2]: share for name, share in weights.items()}

    def _find_admin(self) -> Admin | None:
        """Return Envoy's admin client, anew after a restart, which changes its port."""
        if self._admin is None:
            for child in processes.find(self._store.folder):
                if child.role == ROLE:
                    self._admin = Admin(int(child.env["ADMIN_PORT"]))
        return self._admin


def _asker(ask: Ask) -> Callable[[], str]:
    """Return a function that asks the next text and returns the answer's code."""
    texts = itertools.cycle(WARM_UP_TEXTS)
    return lambda: ask(next(texts)).code


def _elsewhere() -> str:
    """Return what to write if it is on a cluster, "" where kubectl has none."""
    config = Path.home() / ".kube" / "config"
    if not os.environ.get("KUBECONFIG") and not config.is_file():
        return ""
    return "; if it is on your cluster, the policy needs target.backend: knative"
