"""A Kubernetes API server: what can be asked of it, and found by a pod's account."""

import json
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import urllib3

from scripts.rollout.cluster import login
from scripts.rollout.cluster.session import Route, Session, connect
from scripts.rollout.errors import NotFound, RolloutError, Unreachable, refusal

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
# An API server that takes longer is silent; a pod that was scaled to zero has to start.
TIMEOUT_S, COLD_START_S = 10.0, 60.0
INSIDE = "https://kubernetes.default.svc"
MANAGER = "intent-canary"
JSON = {"Content-Type": "application/json"}
Object = dict[str, Any]


class Cluster:
    """One API server."""

    def __init__(
        self,
        server: str,
        http: urllib3.PoolManager,
        *,
        is_inside: bool = False,
        namespace: str = "default",
    ) -> None:
        """Ask `server` over `http`, which knows how to be trusted and who asks.

        `is_inside`: pods can be asked directly, past the API server. `namespace` is
        the one that is meant where nobody names one.
        """
        self.server = server.rstrip("/")
        self.http = http
        self.is_inside = is_inside
        self.namespace = namespace

    @classmethod
    @cache
    def of(cls, context: str | None) -> "Cluster":
        """The cluster of a context, the same object for all who ask for it."""
        return cls.here(context)

    @classmethod
    def here(cls, context: str | None = None) -> "Cluster":
        """As kubectl would find it. Raises RolloutError where there is none."""
        found = login.find(context)
        if found is not None:
            session = Session(found.login, partial(login.renew, context))
            server, namespace = found.login.route.server, found.namespace
            return cls(server, session, namespace=namespace)
        if context is not None or not ACCOUNT.is_dir():
            raise RolloutError(
                f"no cluster: {login.paths()} is not there; set KUBECONFIG"
            )
        http = connect(Route(INSIDE, ca=str(ACCOUNT / "ca.crt")))
        namespace = (ACCOUNT / "namespace").read_text(encoding="utf-8").strip()
        return cls(INSIDE, http, is_inside=True, namespace=namespace)

    def get(self, path: str) -> Object:
        """An object or list. Raises RemoteError."""
        return self._ask("GET", path)

    def find(self, path: str) -> Object | None:
        """An object, None where there is none. Raises RemoteError."""
        try:
            return self.get(path)
        except NotFound:
            return None

    def create(self, path: str, content: Object) -> Object:
        """A new object. Raises RemoteError."""
        return self._ask("POST", path, content, JSON)

    def applied(self, path: str, kind: str, name: str) -> Object:
        """An object that a person has made. Raises RolloutError."""
        found = self.find(path)
        if found is None:
            raise RolloutError(f"{kind} {name} not found; apply it first")
        return found

    def patch(self, path: str, read: Object, change: Object) -> Object:
        """A merge patch in this project's name, on the version that was `read`.

        Raises Conflict where there is a newer one, RemoteError.
        """
        version = {"resourceVersion": read["metadata"]["resourceVersion"]}
        kind = {"Content-Type": "application/merge-patch+json"}
        address = f"{path}?fieldManager={MANAGER}"
        return self._ask("PATCH", address, {"metadata": version, **change}, kind)

    def pod_url(self, pod: Object, port: int, path: str) -> str:
        """Where to ask a pod: itself, or through the API server's proxy."""
        if self.is_inside:
            return f"http://{pod['status']['podIP']}:{port}{path}"
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        pods = f"{self.server}/api/v1/namespaces/{namespace}/pods"
        return f"{pods}/{name}:{port}/proxy{path}"

    def answers(self, url: str, body: Object, headers: Mapping[str, str]) -> bool:
        """Whether a pod answers a POST with less than 500, after a cold start too."""
        try:
            answer = self._send("POST", url, body, {**JSON, **headers}, COLD_START_S)
        except Unreachable:
            return False
        return bool(answer.status < 500)

    def _ask(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Object:
        sent = {**self._account(), **(headers or {})}
        answer = self._send(method, self.server + path, body, sent)
        if answer.status >= 400:
            raise refusal(answer.status, f"{method} {path}: {_said(answer)}")
        try:
            content: Object = answer.json()
        except ValueError as error:
            raise Unreachable(f"{self.server}: {error}") from error
        return content

    def _account(self) -> Mapping[str, str]:
        """A pod's own token, which is renewed; pods that are asked never see it."""
        if not self.is_inside:
            return {}
        token = (ACCOUNT / "token").read_text(encoding="utf-8").strip()
        return {"Authorization": f"Bearer {token}"}

    def _send(
        self,
        method: str,
        url: str,
        body: Object | None,
        headers: Mapping[str, str],
        timeout_s: float = TIMEOUT_S,
    ) -> urllib3.BaseHTTPResponse:
        try:
            return self.http.request(
                method,
                url,
                body=None if body is None else json.dumps(body),
                headers={**self.http.headers, **headers},
                timeout=timeout_s,
            )
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(f"{self.server}: {error}") from error


def _said(answer: urllib3.BaseHTTPResponse) -> str:
    """The API's own sentence; a proxy before it may answer with a page instead."""
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status} {answer.reason}"


def condition(status: Object, kind: str) -> Object:
    """One of the conditions of a status, empty where it has none of that kind."""
    found = (each for each in status.get("conditions", ()) if each["type"] == kind)
    return next(found, {})


def why_not(status: Object, kind: str) -> str:
    """What a condition that is False says, "" where it is not."""
    found = condition(status, kind)
    if found.get("status") != "False":
        return ""
    return str(found.get("message") or found.get("reason"))


def service_path(namespace: str, name: str) -> str:
    """Of an InferenceService."""
    group = "/apis/serving.kserve.io/v1beta1"
    return f"{group}/namespaces/{namespace}/inferenceservices/{name}"


def reference(service: Object) -> dict[str, str]:
    """What names an object elsewhere."""
    metadata = service["metadata"]
    return {
        "apiVersion": service["apiVersion"],
        "kind": service["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
    }
