"""manifests/kubernetes on a real cluster: an operator's folder upon the shipped one."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import yaml

from scripts.local.processes import ROOT
from scripts.rollout.cluster.client import Object
from scripts.rollout.traffic.routes.httproute import route_path
from tests.support.cluster_stage import ClusterStage
from tests.support.site import REGISTRY, Site, site
from tests.support.waiting import PATIENCE_S, until

GATEWAY_API = os.environ.get("GATEWAY_API", "")
GATEWAY = {"name": "kserve-ingress-gateway", "namespace": "kserve"}
SHIPPED = ROOT / "manifests" / "kubernetes"
OVERLAYS = SHIPPED / "overlays"
HEAD = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
BACKENDS = "/spec/rules/0/backendRefs"
IMAGE = "dev.local/intent-classifier"


class Plain(ClusterStage):
    """Deployments behind a route of the Gateway API; canaries come and go by name."""

    overlay = OVERLAYS / "gateway-api"

    def __init__(self, backend: Site, folder: Path) -> None:
        """Ask the gateway by a host of this namespace."""
        super().__init__(backend, folder)
        backend.url = GATEWAY_API
        backend.host = f"intent.{backend.namespace}.example.com"
        where = f"namespace: {backend.namespace}, backend: gateway"
        backend.target = f"{{route: intent, {where}}}"

    def until(self, is_so: Callable[[], Any], seconds: float = PATIENCE_S) -> Any:
        """Wait until something is true; the pods are shown if it never is."""
        return until(is_so, seconds, partial(self.backend.kubectl, "get", "pods"))

    def changes(self, canary: str) -> list[Object]:
        """What the operator changes of the overlay: the gateway's name and the host."""
        route = {
            "/spec/parentRefs": [GATEWAY],
            "/spec/hostnames": [self.backend.host],
            f"{BACKENDS}/1/name": f"intent-{canary}",
        }
        return [patch("HTTPRoute", route)]

    def write(self, canary: str = "v2", *own: str) -> None:
        """The operator's kustomization, for a small cluster and with this canary."""
        cpu = "/spec/template/spec/containers/0/resources/requests/cpu"
        self._kustomization(
            self.folder,
            resources=[_relative(self.overlay, self.folder), *own],
            namespace=self.backend.namespace,
            images=[{"name": IMAGE, "newName": f"{REGISTRY}/intent-classifier"}],
            patches=[*self.changes(canary), patch("Deployment", {cpu: "20m"})],
        )

    def another(self, name: str, image: str, model: str) -> None:
        """Apply a canary of that name with one pod, as the page tells for the next."""
        place = self.folder / name
        args = [f"--model_dir=models/{model}", f"--revision=intent-{name}"]
        args.append("--model_name=intent")
        tag = image.partition(":")
        self._kustomization(
            place,
            resources=[_relative(SHIPPED / "predictor", place)],
            nameSuffix=f"-{name}",
            labels=[{"pairs": {"model-version": name}, "includeSelectors": True}],
            images=[
                {"name": IMAGE, "newName": f"{REGISTRY}/{tag[0]}", "newTag": tag[2]}
            ],
            patches=[
                patch("HorizontalPodAutoscaler", {"/spec/minReplicas": 1}),
                patch("Deployment", {"/spec/template/spec/containers/0/args": args}),
            ],
        )
        self.write(name, name)
        self.backend.kubectl("apply", "-k", str(self.folder))

    def _kustomization(self, place: Path, **content: object) -> None:
        place.mkdir(exist_ok=True)
        text = yaml.safe_dump({**HEAD, **content}, sort_keys=False)
        (place / "kustomization.yaml").write_text(text)

    def forget(self, name: str) -> None:
        """Take a canary away again."""
        self.backend.kubectl("delete", "--wait=false", "-k", str(self.folder / name))

    def pods(self, version: str) -> list[Object]:
        """A version's pods, also those that are going."""
        labels = f"model-version={version}"
        found = self.backend.kubectl("get", "pods", "-l", labels, "-o", "json")
        every: list[Object] = json.loads(found)["items"]
        return every

    def weights(self) -> list[int]:
        """The stable's and the canary's, as the route has them."""
        route = self.backend.cluster.get(route_path(self.backend.namespace, "intent"))
        (rule,) = route["spec"]["rules"]
        return [each["weight"] for each in rule["backendRefs"]]


Home = TypeVar("Home", bound=Plain)


@contextmanager
def plain(folder: Path, kind: type[Home]) -> Iterator[Home]:
    """An overlay in a namespace of its own, to be applied."""
    os.chdir(ROOT)
    with site(folder) as backend:
        built = kind(backend, folder)
        built.write()
        yield built


def patch(kind: str, changes: Object, name: str = "") -> Object:
    """Fields of all objects of a kind, or of the one of that name."""
    steps = [
        {"op": "add", "path": path, "value": value} for path, value in changes.items()
    ]
    target = {"kind": kind, "name": name} if name else {"kind": kind}
    return {"target": target, "patch": yaml.safe_dump(steps)}


def _relative(folder: Path, start: Path) -> str:
    return os.path.relpath(folder, start)
