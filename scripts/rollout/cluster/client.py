"""Requests to a Kubernetes API server, logged in by a kubeconfig or a pod's account."""

import json
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import urllib3

from scripts.rollout import bounded
from scripts.rollout.cluster import login
from scripts.rollout.cluster.session import Route, Session, connect
from scripts.rollout.errors import NotFound, RolloutError, Unreachable, refusal

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
# The limits for an API server, and for a pod that was scaled to zero and has to start.
TIMEOUT_S, COLD_START_S = 10.0, 60.0
# The server gives a write up before the client does, so that none is done afterwards.
WRITE_S = 9.0
INSIDE = "https://kubernetes.default.svc"
MANAGER = "intent-canary"
JSON = {"Content-Type": "application/json"}
NAMES = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
ALL = "application/json"  # whoever answers so has the names in it too
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
        """Ask `server` over `http`, which holds the login and the trusted certificates.

        `is_inside`: pods can be asked directly, past the API server. `namespace` is the
        default.
        """
        self.server = server.rstrip("/")
        self.http = http
        self.is_inside = is_inside
        self.namespace = namespace

    @classmethod
    @cache
    def of(cls, context: str | None) -> "Cluster":
        """Return the cluster of a context, the same object for every caller."""
        return cls.here(context)

    @classmethod
    def here(cls, context: str | None = None) -> "Cluster":
        """Return the cluster that kubectl uses. Raises RolloutError without one."""
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
        """Return an object or a list. Raises RemoteError."""
        return self._ask("GET", path)

    def names(self, path: str) -> list[Object]:
        """Return the metadata of each object in a list, not its content.

        Raises RemoteError.
        """
        found = self._ask("GET", path, None, {"Accept": f"{NAMES},{ALL}"})
        return [each["metadata"] for each in found["items"]]

    def find(self, path: str) -> Object | None:
        """Return an object, None if it does not exist. Raises RemoteError."""
        try:
            return self.get(path)
        except NotFound:
            return None

    def create(self, path: str, content: Object) -> Object:
        """Create an object. Raises RemoteError."""
        return self._ask("POST", path, content, JSON)

    def applied(self, path: str, kind: str, name: str) -> Object:
        """Return an object that a person must have applied. Raises RolloutError."""
        found = self.find(path)
        if found is None:
            raise RolloutError(f"{kind} {name} not found; apply it first")
        return found

    def patch(self, path: str, read: Object, change: Object) -> Object:
        """Send a merge patch on the resourceVersion of `read`.

        Raises Conflict if the object has a newer resourceVersion, else RemoteError.
        """
        version = {"resourceVersion": read["metadata"]["resourceVersion"]}
        kind = {"Content-Type": "application/merge-patch+json"}
        address = f"{path}?fieldManager={MANAGER}&timeout={WRITE_S:g}s"
        return self._ask("PATCH", address, {"metadata": version, **change}, kind)

    def apply(self, path: str, read: Object, change: Object) -> Object:
        """Apply these fields on the server as their manager, whoever had them.

        On the resourceVersion of `read`. Raises Conflict as `patch` does, else
        RemoteError.
        """
        names = {key: read["metadata"][key] for key in ("name", "resourceVersion")}
        kinds = {key: read[key] for key in ("apiVersion", "kind")}
        content_type = {"Content-Type": "application/apply-patch+yaml"}
        query = f"fieldManager={MANAGER}&force=true&timeout={WRITE_S:g}s"
        content = {**kinds, "metadata": names, **change}
        return self._ask("PATCH", f"{path}?{query}", content, content_type)

    def pod_url(self, pod: Object, port: int, path: str) -> str:
        """Return a pod's URL: its own address, or the API server's proxy."""
        if self.is_inside:
            return f"http://{pod['status']['podIP']}:{port}{path}"
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        pods = f"{self.server}/api/v1/namespaces/{namespace}/pods"
        return f"{pods}/{name}:{port}/proxy{path}"

    def answer(self, url: str, body: Object | str, headers: Mapping[str, str]) -> str:
        """Return the status of a pod's answer to a POST, even from cold, or "none".

        A text is sent as it is.
        """
        try:
            return str(
                bounded.status(
                    self.http,
                    url,
                    body=body if isinstance(body, str) else json.dumps(body),
                    headers={**self.http.headers, **JSON, **headers},
                    seconds=COLD_START_S,
                )
            )
        except urllib3.exceptions.HTTPError:
            return "none"

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
        """Return this pod's token, which is renewed; it is sent to no other pod."""
        if not self.is_inside:
            return {}
        token = (ACCOUNT / "token").read_text(encoding="utf-8").strip()
        return {"Authorization": f"Bearer {token}"}

    def _send(
        self,
        method: str,
        url: str,
        body: Object | str | None,
        headers: Mapping[str, str],
    ) -> urllib3.BaseHTTPResponse:
        try:
            return self.http.request(
                method,
                url,
                body=json.dumps(body) if isinstance(body, dict) else body,
                headers={**self.http.headers, **headers},
                timeout=TIMEOUT_S,
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
    """Return the condition of a status with this type, {} without one."""
    found = (each for each in status.get("conditions", ()) if each["type"] == kind)
    return next(found, {})


def why_not(status: Object, kind: str) -> str:
    """Return the message of a condition that is False, else ""."""
    found = condition(status, kind)
    if found.get("status") != "False":
        return ""
    return str(found.get("message") or found.get("reason"))


def service_path(namespace: str, name: str) -> str:
    """Return the API path of an InferenceService."""
    group = "/apis/serving.kserve.io/v1beta1"
    return f"{group}/namespaces/{namespace}/inferenceservices/{name}"


def reference(service: Object) -> dict[str, str]:
    """Return the fields by which other objects refer to this one."""
    metadata = service["metadata"]
    return {
        "apiVersion": service["apiVersion"],
        "kind": service["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
    }
