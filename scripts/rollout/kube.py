"""A Kubernetes API server, found as kubectl finds it, or by a pod's own account."""

import atexit
import base64
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import urllib3
import yaml

from scripts.rollout.errors import RolloutError, Unreachable

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TIMEOUT_S = 10.0
Object = dict[str, Any]


class Cluster:
    """One API server."""

    def __init__(self, server: str, http: urllib3.PoolManager) -> None:
        """Ask `server` over `http`, which knows how to be trusted."""
        self.server = server.rstrip("/")
        self.http = http

    @classmethod
    def here(cls) -> "Cluster":
        """As kubectl would find it. Raises RolloutError where there is none."""
        path = os.environ.get("KUBECONFIG", str(Path.home() / ".kube" / "config"))
        if Path(path).is_file():
            return cls._of_file(Path(path))
        if ACCOUNT.is_dir():
            token = (ACCOUNT / "token").read_text(encoding="utf-8").strip()
            http = urllib3.PoolManager(
                num_pools=4,
                maxsize=64,
                retries=False,
                ca_certs=str(ACCOUNT / "ca.crt"),
                headers={"Authorization": f"Bearer {token}"},
            )
            return cls("https://kubernetes.default.svc", http)
        raise RolloutError(f"no cluster: {path} is not there; set KUBECONFIG")

    @classmethod
    def _of_file(cls, path: Path) -> "Cluster":
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        context = _named(config, "context", config["current-context"])
        cluster = _named(config, "cluster", context["cluster"])
        user = _named(config, "user", context["user"])
        headers = {}
        if "token" in user:
            headers["Authorization"] = f"Bearer {user['token']}"
        http = urllib3.PoolManager(
            num_pools=4,
            maxsize=64,
            retries=False,
            ca_certs=_file(cluster, "certificate-authority"),
            cert_file=_file(user, "client-certificate"),
            key_file=_file(user, "client-key"),
            headers=headers,
        )
        return cls(cluster["server"], http)

    def get(self, path: str) -> Object:
        """An object or list. Raises Unreachable."""
        return self._ask("GET", path)

    def patch(self, path: str, change: Object, manager: str) -> Object:
        """A merge patch in the name of a field manager. Raises Unreachable."""
        kind = {"Content-Type": "application/merge-patch+json"}
        return self._ask("PATCH", f"{path}?fieldManager={manager}", change, kind)

    def answers(self, path: str, body: Object) -> bool:
        """Whether a pod behind the proxy answers a POST with less than 500."""
        try:
            answer = self.http.request(
                "POST",
                self.server + path,
                body=json.dumps(body),
                headers={**self.http.headers, "Content-Type": "application/json"},
                timeout=TIMEOUT_S,
            )
        except urllib3.exceptions.HTTPError:
            return False
        return bool(answer.status < 500)

    def _ask(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Object:
        try:
            answer = self.http.request(
                method,
                self.server + path,
                body=None if body is None else json.dumps(body),
                headers={**self.http.headers, **(headers or {})},
                timeout=TIMEOUT_S,
            )
            content: Object = answer.json()
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise Unreachable(f"{self.server}: {error}") from error
        if answer.status >= 400:
            reason = content.get("message", answer.status)
            raise Unreachable(f"{method} {path}: {reason}")
        return content


def _named(config: Object, kind: str, name: str) -> Object:
    found: Object = next(
        each[kind] for each in config[f"{kind}s"] if each["name"] == name
    )
    return found


def _file(entry: Object, name: str) -> str | None:
    """A path, or one made of the data that stands in the file itself."""
    if name in entry:
        return str(entry[name])
    if f"{name}-data" not in entry:
        return None
    with tempfile.NamedTemporaryFile(delete=False) as file:
        file.write(base64.b64decode(entry[f"{name}-data"]))
    atexit.register(os.unlink, file.name)
    return file.name
