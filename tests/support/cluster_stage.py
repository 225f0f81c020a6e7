"""A stable on a cluster, canaries from images, users at the gateway, the promoter."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from scripts.local.manifest import PROGRESS_DEADLINE
from scripts.local.processes import ROOT
from tests.e2e.images import FAULTS
from tests.support.backends import intent, serves, settles
from tests.support.site import REGISTRY, Object, Site, site
from tests.support.stage import POLICY, Stage, Verdict

RPS = 40.0
SHARED = ("kourier-system", "knative-serving", "projectcontour")
PROMOTER = os.environ.get("PROMOTER", f"{REGISTRY}/intent-canary:latest")
# Of each scenario: its name, the exit code, seconds, bad answers and all.
RESULTS: list[tuple[str, int, float, int, int]] = []


class ClusterStage(Stage[Site]):
    """One namespace, and a promoter outside the cluster or in it."""

    def version(self, name: str, percent: int | None = 0, **env: str) -> str:
        """The shipped manifest of a version as the newest revision; its name."""
        return self._newer(intent(name, percent, **env))

    def fault(
        self, model: str, percent: int = 0, deadline: str = "120s", **env: str
    ) -> str:
        """A canary with one of the bad models; its name."""
        return self.image(FAULTS, model, percent, deadline, **env)

    def image(
        self,
        image: str,
        model: str,
        percent: int = 0,
        deadline: str = "120s",
        **env: str,
    ) -> str:
        """A canary of any image, given up after `deadline`."""
        document = intent("v2", percent, **env)
        document["metadata"]["annotations"][PROGRESS_DEADLINE] = deadline
        container = document["spec"]["predictor"]["containers"][0]
        container["image"] = f"dev.local/{image}"
        serves(document, f"models/{model}")
        return self._newer(document)

    def _newer(self, document: Object) -> str:
        before = self.newest()
        self.backend.apply(document)
        self.until(lambda: self.newest() != before)
        return self.newest()

    def noted(self, scenario: str, verdict: Verdict) -> Verdict:
        """For the table at the end."""
        found = verdict.code, verdict.seconds, verdict.bad, verdict.answers
        RESULTS.append((scenario, *found))
        return verdict

    def permit(self, name: str = "intent") -> None:
        """What a promoter inside the cluster may do, as `manifests` prints it."""
        for document in yaml.safe_load_all(self.manifests(name)):
            if document["kind"] != "Job":
                given = yaml.safe_dump(document)
                self.create(given)

    def manifests(self, name: str, *args: str) -> str:
        """What the verb prints for an InferenceService of this namespace."""
        where = ["-n", self.backend.namespace, "--image", PROMOTER]
        verb = [sys.executable, "-m", "scripts.canary", "manifests", name]
        done = subprocess.run(
            [*verb, *where, *args], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def create(self, documents: str) -> None:
        """Apply documents that name their namespaces."""
        command = ["kubectl", "apply", "-f", "-"]
        done = subprocess.run(command, input=documents, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def forbid(self) -> None:
        """Take back what is outside this namespace."""
        for elsewhere in SHARED:
            get = ["-n", elsewhere, "get", "role,rolebinding", "-o", "name"]
            found = self.backend.kubectl(*get).split()
            own = f"/{self.backend.namespace}-"
            names = [each for each in found if own in each]
            if names:
                self.backend.kubectl("-n", elsewhere, "delete", *names)

    def job(self, policy: str = POLICY) -> str:
        """Start a promoter inside the cluster; its Job's name."""
        file = str(self.policy(policy))
        where = ["--in-cluster", "--image", PROMOTER, "-o", "json"]
        code, said = self.verb("run", "-f", file, *where)
        assert code == 0, said
        return str(json.loads(said)["job"])

    def job_by_kubectl(self, policy: str = POLICY) -> str:
        """The same with kubectl alone: the shipped Job, and the policy it names."""
        name, file = "intent-rollout-policy", f"rollout.yaml={self.policy(policy)}"
        self.backend.kubectl("delete", "configmap", name)
        self.backend.kubectl("create", "configmap", name, f"--from-file={file}")
        job = (ROOT / "manifests" / "promotion" / "job.yaml").read_text()
        job = job.replace("dev.local/intent-canary:latest", PROMOTER)
        job = job.replace("namespace: default", f"namespace: {self.backend.namespace}")
        made = self.backend.kubectl("create", "-f", "-", "-o", "name", given=job)
        return made.strip().rpartition("/")[2]

    def phase(self) -> str:
        """Where the rollout is, as its ConfigMap says."""
        path = f"/api/v1/namespaces/{self.backend.namespace}/configmaps/intent-rollout"
        found = self.backend.cluster.find(path)
        return found["data"]["phase"] if found else ""


@contextmanager
def stage(folder: Path) -> Iterator[ClusterStage]:
    """v1 rolled out in full, in a namespace of its own."""
    os.chdir(ROOT)
    with site(folder) as backend:
        built = ClusterStage(backend, folder)
        backend.apply(intent("v1"))
        settles(backend, [("1", 100)], created="1")
        try:
            yield built
        finally:
            built.forbid()
