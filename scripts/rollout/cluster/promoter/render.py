"""Everything that a promoter needs in the cluster, named by its target.

`manifests/promotion` is what `folder` writes for the InferenceService `intent` in the
namespace `default`.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from string import Template

import yaml

from scripts.rollout.cluster.client import Object
from scripts.rollout.errors import RolloutError
from scripts.rollout.policy.backends import BACKENDS

IMAGE = "dev.local/intent-canary:latest"
POLICY_FILE = "rollout.yaml"
KINDS = {
    "knative": "the InferenceService",
    "gateway": "the HTTPRoute",
    "ingress-nginx": "the Ingress",
}
# Namespaces where every service's promoter lists pods, by the ingress that is there.
SHARED = {
    "kourier": ("kourier-system", "knative-serving"),
    "contour": ("projectcontour",),
    "envoy-gateway": ("envoy-gateway-system",),
}
INGRESSES = {
    "knative": ("kourier",),
    "gateway": ("contour", "envoy-gateway"),
    "ingress-nginx": (),  # counts nothing by Service: it is not asked
}
ENVOY_PORTS = {"kourier": 9000, "contour": 8002, "envoy-gateway": 19001}
SHARED_NOTE = """\
# and in the namespaces of its ingress:
#   kubectl apply -k {folder}/{backend}
"""
SHARED_HEAD = """\
# Where the gateways are, whose counters see what never reaches a pod, and with Knative
# its activator, which wakes a canary that is scaled to zero. Others share these places,
# so the names say whose promoter it is: a second one takes no rights from the first.
"""


@dataclass(frozen=True, slots=True)
class Promoter:
    """The names of one target, its policy file's text, and the promoter's image."""

    name: str
    namespace: str
    backend: str = "knative"
    policy: str = ""
    image: str = IMAGE
    ingress: str = ""

    def __post_init__(self) -> None:
        """Raise RolloutError for a backend whose rights are not written down here."""
        if self.backend not in KINDS:
            row, expected = BACKENDS.get(self.backend), " or ".join(KINDS)
            where = (
                f": its promoter runs {row.promoter}" if row and row.promoter else ""
            )
            raise RolloutError(
                f"target.backend: manifests of {expected}, got {self.backend}{where}"
            )
        if self.ingress and self.ingress not in INGRESSES[self.backend]:
            expected = " or ".join(INGRESSES[self.backend]) or "none"
            raise RolloutError(
                f"--ingress: expected {expected} with backend {self.backend}, got "
                f"{self.ingress}"
            )

    @property
    def _ingress(self) -> str:
        return self.ingress or "".join(INGRESSES[self.backend][:1])

    @property
    def key(self) -> str:
        """Return the key under `target` that names the object."""
        return BACKENDS[self.backend].target

    @property
    def account(self) -> str:
        """Return the name of the ServiceAccount, its Role and its RoleBinding."""
        return f"{self.name}-canary"

    @property
    def policy_map(self) -> str:
        """Return the name of the ConfigMap with the policy."""
        return f"{self.name}-rollout-policy"

    def folder(self, where: str) -> Mapping[str, str]:
        """Return the files of a folder `where` for `kubectl apply -k`."""
        found = {name: self._part(name) for name in ("rbac.yaml", "networkpolicy.yaml")}
        found |= {"job.yaml": self._part("job.yaml"), POLICY_FILE: self._policy()}
        note = ""
        if self._ingress:
            found[f"{self.backend}/rbac.yaml"] = self._shared()
            kustomization = self._part("shared.kustomization.yaml")
            found[f"{self.backend}/kustomization.yaml"] = kustomization
            note = SHARED_NOTE.format(folder=where, backend=self.backend)
        names = {"folder": where, "shared_note": note}
        found["kustomization.yaml"] = self._part("kustomization.yaml", **names)
        return found

    def documents(self) -> str:
        """Return all of it for `kubectl apply -f -`: the Job has a name of its own."""
        parts = [self._part("rbac.yaml")]
        parts += [self._shared()] if self._ingress else []
        parts += [self._part("networkpolicy.yaml"), self._policy_document()]
        name = f"name: {self.name}-rollout-{secrets.token_hex(3)}"
        job = self._part("job.yaml")
        parts.append(job.replace(f"generateName: {self.name}-rollout-", name))
        return "---\n".join(parts)

    def job(self) -> Object:
        """Return the Job, for the API server to name."""
        found: Object = yaml.safe_load(self._part("job.yaml"))
        return found

    def _shared(self) -> str:
        places = SHARED[self._ingress]
        parts = (self._part("shared.yaml", shared=place) for place in places)
        return SHARED_HEAD + "---\n".join(parts)

    def _policy(self) -> str:
        return self.policy or self._part(POLICY_FILE)

    def _policy_document(self) -> str:
        head = {"apiVersion": "v1", "kind": "ConfigMap"}
        metadata = {"name": self.policy_map, "namespace": self.namespace}
        lines = "".join(f"    {line}\n" for line in self._policy().splitlines())
        document = yaml.safe_dump({**head, "metadata": metadata}, sort_keys=False)
        return f"{document}data:\n  {POLICY_FILE}: |\n{lines}"

    def _part(self, file: str, **names: str) -> str:
        """Return one template with the names in it."""
        known = {
            "name": self.name,
            "namespace": self.namespace,
            "backend": self.backend,
            "image": self.image,
            "kind": KINDS[self.backend],
            "key": self.key,
            **names,
        }
        if self._ingress:
            known["envoy_port"] = str(ENVOY_PORTS[self._ingress])
            known.setdefault("shared", SHARED[self._ingress][0])
        if file in ("rbac.yaml", "networkpolicy.yaml"):
            what = "rules" if file == "rbac.yaml" else "egress"
            known[what] = self._part(f"{self.backend}.{what}.yaml").rstrip("\n")
        here = resources.files("scripts.rollout.cluster.promoter")
        return Template((here / file).read_text(encoding="utf-8")).substitute(known)
