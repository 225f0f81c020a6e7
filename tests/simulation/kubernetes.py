"""KServe and Knative of a simulation: objects with versions, controllers that lag."""

import copy
from collections.abc import Callable
from itertools import count
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from scripts.rollout.cluster import pods
from scripts.rollout.cluster.client import Object, service_path
from scripts.rollout.policy.backends import PERCENT_FIELD
from scripts.rollout.traffic.knative import GATEWAYS
from scripts.rollout.traffic.knative_objects import REVISION
from tests.simulation.clock import Clock
from tests.simulation.users import Pod, Users

SERVICE = service_path("default", "intent")
KNATIVE = "/apis/serving.knative.dev/v1/namespaces/default"
ROUTES = f"{KNATIVE}/services/intent-predictor"
READY_S = 2.0  # from a revision's creation until its pods are ready
PODS = 3  # of a revision


class Conflicted(Exception):
    """The object has another resourceVersion."""


class Kubernetes:
    """One InferenceService, what becomes of it, and everything else by path."""

    def __init__(self, clock: Clock, users: Users, lag: Callable[[], float]) -> None:
        """Let each controller take `lag` until it has seen a change."""
        self._clock, self.users, self._lag = clock, users, lag
        self._versions = count(1)
        self.objects: dict[str, Object] = {}
        self.newest = ""  # the revision of the template that is set now
        self._templates: dict[str, str] = {}
        self.watchers: list[Callable[[str, Object | None, Object, str], None]] = []
        self.doubled = False

    def apply(self, image: str, percent: int | None, fails: float) -> None:
        """Set the template and the percent, as a person does with a manifest."""
        container = {"name": pods.CONTAINER, "image": image}
        spec = {"predictor": {"containers": [container], PERCENT_FIELD: percent}}
        if image not in self._templates:
            revision = f"intent-predictor-{len(self._templates) + 1:05}"
            self._templates[image] = revision
            self.users.fails[revision] = fails
        self.newest = self._templates[image]
        self.merge(SERVICE, {"spec": spec}, "person")

    # -- the API ---------------------------------------------------------------------

    def get(self, url: str) -> Object | None:
        """Return an object or a list of pods; it may not be changed."""
        parts = urlsplit(url)
        if parts.path.endswith("/pods"):
            selector = unquote(parse_qs(parts.query)["labelSelector"][0])
            return {"items": self._pods(dict([selector.split("=")]))}
        return self.objects.get(parts.path)

    def create(self, folder: str, content: Object, author: str) -> Object:
        """Create an object. Raises Conflicted if it exists."""
        path = f"{folder}/{content['metadata']['name']}"
        if path in self.objects:
            raise Conflicted
        return self._put(path, copy.deepcopy(content), author)

    def patch(self, path: str, change: Object, author: str) -> Object | None:
        """Merge a change on its resourceVersion. Raises Conflicted."""
        found = self.objects.get(path)
        if found is None:
            return None
        wanted = change["metadata"].get("resourceVersion")
        if wanted not in (None, found["metadata"]["resourceVersion"]):
            raise Conflicted
        rest = {key: value for key, value in change.items() if key != "metadata"}
        return self._put(path, merged(found, rest), author)

    def merge(self, path: str, change: Object, author: str) -> None:
        """Merge a change on whatever version there is."""
        self._put(path, merged(self.objects.get(path, {}), change), author)

    def _put(self, path: str, content: Object, author: str) -> Object:
        before = self.objects.get(path)
        if content == before:
            return content  # as it is: no new version
        metadata = {
            "generation": 0,
            "name": path.rpartition("/")[2],
            **content.get("metadata", {}),
            "resourceVersion": str(next(self._versions)),
        }
        if before is None or before.get("spec") != content.get("spec"):
            metadata["generation"] += 1
            self._reconcile(path)
        content = {**content, "metadata": metadata}
        self.objects[path] = content
        for watcher in self.watchers:
            watcher(path, before, content, author)
        return content

    def _pods(self, labels: dict[str, str]) -> list[Object]:
        if labels == GATEWAYS[1]:
            return [
                _pod(each, "kourier-system") for each in self.users.gateways.values()
            ]
        found = [_pod(each, "default") for each in self.users.pods.values()]
        return [*found, *found[:1]] if self.doubled else found

    # -- the controllers -------------------------------------------------------------

    def _reconcile(self, path: str) -> None:
        if path == SERVICE:
            self._clock.after(self._lag(), self._kserve)
        elif path == ROUTES:
            self._clock.after(self._lag(), self._knative)

    @property
    def rolled_out(self) -> str:
        """Return the revision that had all traffic last."""
        return self._known.get(ROLLED, "")

    @property
    def _known(self) -> dict[str, str]:
        status = self.objects[SERVICE].get("status", {})
        found: dict[str, str] = status.get("components", {}).get("predictor", {})
        return found

    def _kserve(self) -> None:
        """Create the revision of the template, set the Knative Service's traffic."""
        predictor = self.objects[SERVICE]["spec"]["predictor"]
        created = self._templates[predictor["containers"][0]["image"]]
        if created != self._known.get("latestCreatedRevision"):
            self._status(latestCreatedRevision=created)
            self._create(created)
        self._split(predictor)

    def _create(self, revision: str) -> None:
        path = f"{KNATIVE}/revisions/{revision}"
        self.merge(path, {"status": {}}, "knative")
        self._clock.after(READY_S, lambda: self._is_ready(revision))

    def _is_ready(self, revision: str) -> None:
        now = self._clock.now
        self.users.add_pods(revision, PODS, now)
        ready = {"type": "Ready", "status": "True"}
        path = f"{KNATIVE}/revisions/{revision}"
        self.merge(path, {"status": {"conditions": [ready]}}, "knative")
        if self._known.get("latestCreatedRevision") == revision:
            self._status(latestReadyRevision=revision)
            self._kserve()

    def _split(self, predictor: Object) -> None:
        """Do as KServe does with its template and its percent field."""
        known, percent = self._known, predictor.get(PERCENT_FIELD)
        ready, rolled = known.get("latestReadyRevision"), known.get(ROLLED)
        if ready is None:
            return
        before = known.get("previousRolledoutRevision")
        if percent is None or percent == 100 or rolled is None:
            spec = {ready: 100}
        else:
            if ready == rolled and before:
                self._status(**{ROLLED: before})
                rolled = before
            spec = {ready: percent} if ready != rolled else {ready: 100}
            spec |= {rolled: 100 - percent} if ready != rolled else {}
        targets = [{"revisionName": r, "percent": p} for r, p in spec.items()]
        template = {"spec": {"containers": predictor["containers"]}}
        made = {"template": template, "traffic": targets}
        if self.objects.get(ROUTES, {}).get("spec") != made:
            self.merge(ROUTES, {"spec": made}, "kserve")

    def _knative(self) -> None:
        """Route as is set, and say so."""
        service = self.objects[ROUTES]
        self.users.advance(self._clock.now)
        traffic = service["spec"]["traffic"]
        self.users.routed = {each["revisionName"]: each["percent"] for each in traffic}
        observed = service["metadata"]["generation"]
        status = {"observedGeneration": observed, "traffic": traffic}
        self.merge(ROUTES, {"status": status}, "knative")
        self._clock.after(self._lag(), self._rolled_out)

    def _rolled_out(self) -> None:
        """Call a revision with all traffic rolled out, if no percent forbids it."""
        known = self._known
        ready, rolled = known.get("latestReadyRevision"), known.get(ROLLED)
        percent = self.objects[SERVICE]["spec"]["predictor"].get(PERCENT_FIELD)
        is_all = self.users.routed == {ready: 100}
        if ready and is_all and ready != rolled and percent in (None, 100):
            self._status(**{"previousRolledoutRevision": rolled or "", ROLLED: ready})

    def _status(self, **changes: str) -> None:
        status = {"components": {"predictor": changes}}
        self.merge(SERVICE, {"status": status}, "kserve")


ROLLED = "latestRolledoutRevision"


def merged(old: Any, change: Any) -> Any:
    """Return a JSON merge patch's result."""
    if not isinstance(change, dict) or not isinstance(old, dict):
        return change
    found = dict(old)
    for key, value in change.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merged(old.get(key, {}), value)
    return found


def _pod(pod: Pod, namespace: str) -> Object:
    ready = {"type": "Ready", "status": "True" if pod.is_ready else "False"}
    name = pods.CONTAINER
    return {
        "metadata": {
            "name": pod.name,
            "namespace": namespace,
            "labels": {REVISION: pod.revision, pods.OWNER: "intent"},
        },
        "spec": {"containers": [{"name": name, "image": pod.revision}]},
        "status": {
            "conditions": [ready],
            "containerStatuses": [{"name": name, "restartCount": pod.restarts}],
        },
    }
