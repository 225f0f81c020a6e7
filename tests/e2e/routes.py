"""Both versions behind an HTTPRoute, as manifests/standard-mode has them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from scripts.local.processes import ROOT
from scripts.rollout.traffic.routes.httproute import route_path
from tests.support.backends import serves
from tests.support.cluster_stage import ClusterStage
from tests.support.site import REGISTRY, Site, site

GATEWAY_API = os.environ.get("GATEWAY_API", "")
STANDARD = ROOT / "manifests" / "standard-mode"


@contextmanager
def stage(folder: Path) -> Iterator[ClusterStage]:
    """An empty namespace whose rollouts are of an HTTPRoute, until the block ends."""
    with site(folder) as backend:
        backend.url = GATEWAY_API
        backend.host = f"intent.{backend.namespace}.example.com"
        where = f"namespace: {backend.namespace}, backend: gateway"
        backend.target = f"{{route: intent, {where}}}"
        built = ClusterStage(backend, folder)
        try:
            yield built
        finally:
            built.forbid()


def apply(backend: Site, canary: str = "", model: str = "v2") -> None:
    """The shipped folder; with another canary's image if one is given."""
    for document in yaml.safe_load_all(backend.kubectl("kustomize", str(STANDARD))):
        if document["kind"] == "HTTPRoute":
            document["spec"]["hostnames"] = [backend.host]
            backend.kubectl("apply", "-f", "-", given=yaml.safe_dump(document))
            continue
        container = document["spec"]["predictor"]["containers"][0]
        if canary and document["metadata"]["name"] == "intent-v2":
            container["image"] = f"{REGISTRY}/{canary}"
            serves(document, f"models/{model}")
        backend.apply(document)
    names = ["isvc/intent-v1", "isvc/intent-v2"]
    backend.kubectl("wait", "--for=condition=Ready", "--timeout=90s", *names)


def weights(backend: Site) -> list[int]:
    """The weights that are set, the stable's first."""
    route = backend.cluster.get(route_path(backend.namespace, "intent"))
    (rule,) = route["spec"]["rules"]
    return [each["weight"] for each in rule["backendRefs"]]
