"""A namespace of a real cluster with an InferenceService in it, and its gateway."""

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import yaml

from scripts.rollout.cluster.client import Cluster, service_path
from tests.support.backends import POLICY_VERBS

INGRESS = os.environ.get("INGRESS", "http://127.0.0.1:8080")
DOMAIN = os.environ.get("DOMAIN", "example.com")
REGISTRY = os.environ.get("REGISTRY", "dev.local")
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}

Object = dict[str, Any]


class Site:
    """Where one scenario runs; other namespaces do not disturb it."""

    def __init__(self, folder: Path, namespace: str) -> None:
        """Keep files below `folder`."""
        self.namespace, self.folder = namespace, folder
        self.cluster = Cluster.here()
        self.host = f"intent-predictor.{namespace}.{DOMAIN}"
        self.url = INGRESS
        self.target = self.of("intent")
        self.journal = folder / "clusters" / f"{namespace}.intent" / "journal.jsonl"
        self._session = requests.Session()

    def of(self, name: str) -> str:
        """The InferenceService `name` as a policy's target."""
        where = f"namespace: {self.namespace}, backend: knative"
        return f"{{inferenceservice: {name}, {where}}}"

    def kubectl(self, *args: str, given: str | None = None) -> str:
        """What a kubectl command in this namespace prints."""
        done = subprocess.run(
            ["kubectl", "-n", self.namespace, *args],
            input=given,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def apply(self, document: Object) -> None:
        """Apply with this cluster's images, and little enough CPU for a small one."""
        for container in document["spec"]["predictor"]["containers"]:
            container["image"] = container["image"].replace("dev.local", REGISTRY)
            container["resources"]["requests"]["cpu"] = "20m"
        self.kubectl("apply", "-f", "-", given=yaml.safe_dump(document))

    def patch(self, percent: int | None) -> None:
        """Patch as an operator would."""
        change = {"spec": {"predictor": {"canaryTrafficPercent": percent}}}
        self.kubectl(
            "patch", "isvc", "intent", "--type=merge", "-p", json.dumps(change)
        )

    def get(self, name: str = "intent") -> Object:
        """An InferenceService as it is."""
        return self.cluster.get(service_path(self.namespace, name))

    def status(self) -> Object:
        """The InferenceService's status."""
        return dict(self.get().get("status", {}))

    def ask(self, host: str) -> requests.Response:
        """Ask the gateway in the name of `host`."""
        return self._session.post(
            f"{self.url}/predict",
            json={"text": "hello"},
            headers={"Host": host},
            timeout=30,
        )

    def flags(self, verb: str) -> list[str]:
        """The namespace, for verbs that have no policy to name it."""
        folder = ["--dir", str(self.folder)]
        if verb in POLICY_VERBS:
            return folder
        return [*folder, "--cluster", "-n", self.namespace]


@contextmanager
def site(folder: Path, *, is_restricted: bool = True) -> Iterator[Site]:
    """A new namespace that enforces the `restricted` standard, until the block ends."""
    namespace = f"e2e-{uuid.uuid4().hex[:8]}"
    here = Site(folder, namespace)
    labels = RESTRICTED if is_restricted else {}
    made = {"metadata": {"name": namespace, "labels": labels}}
    here.cluster.create("/api/v1/namespaces", made)
    try:
        yield here
    finally:
        here.kubectl("delete", "namespace", namespace, "--wait=false")
