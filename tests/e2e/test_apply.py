"""The shipped manifests, applied as README says, in a `restricted` namespace."""

import json
import subprocess
import sys
from typing import Any

import pytest

from scripts.inference.load import Share
from scripts.local.processes import ROOT
from tests.support.backends import intent
from tests.support.cluster_stage import ClusterStage
from tests.support.site import DOMAIN, REGISTRY

SIGMAS = 4.0
COPY = ["cp", "-r", "models/v2/.", "/mnt/models"]
TEXTS = "good morning", "where is it?"
INFER = (sys.executable, "-m", "scripts.infer", *TEXTS)


def _asked(on: ClusterStage, *args: str, name: str = "intent") -> dict[str, Any]:
    host = f"{name}-predictor.{on.backend.namespace}.{DOMAIN}"
    url = on.backend.url
    if "grpc" in args:
        url = url.removeprefix("http://")
    done = subprocess.run(
        [*INFER, "--url", url, "--host", host, "-o", "json", *args],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.skipif(REGISTRY != "dev.local", reason="applies the manifests unchanged")
def test_v1_then_v2_split_two_thousand_requests_and_diff_is_empty(
    on: ClusterStage,
) -> None:
    for version in ("v1", "v2"):
        on.backend.kubectl("apply", "-f", f"manifests/isvc-{version}.yaml")
        on.until(on.is_ready)
        on.backend.kubectl("wait", "--for=condition=Ready", "isvc/intent")
        on.backend.kubectl("diff", "-f", f"manifests/isvc-{version}.yaml")
    for protocol in ("v1", "v2", "predict"):
        labels = [e["label"] for e in _asked(on, "--protocol", protocol)["answers"]]
        assert labels == ["greeting", "question"]
    found = _asked(on, "--count", "2000", "--concurrency", "4")
    assert found["failed"] == 0
    canary = next(
        Share(**each) for each in found["split"] if each["revision"] == on.newest()
    )
    spread = SIGMAS * (0.1 * 0.9 / 2000) ** 0.5
    assert abs(canary.share - 0.1) < spread


@pytest.mark.skipif(REGISTRY != "dev.local", reason="applies the manifests unchanged")
def test_grpc_has_an_inferenceservice_of_its_own(on: ClusterStage) -> None:
    on.backend.kubectl("apply", "-f", "manifests/isvc-grpc.yaml")
    on.backend.kubectl("wait", "--for=condition=Ready", "isvc/intent-grpc")
    found = _asked(on, "--protocol", "grpc", name="intent-grpc")
    assert [each["label"] for each in found["answers"]] == ["greeting", "question"]


def test_one_line_names_another_registry(on: ClusterStage) -> None:
    line = "newName: dev.local/intent-classifier"
    folder = on.folder / "manifests"
    folder.mkdir()
    for name in ("kustomization.yaml", "isvc-v1.yaml"):
        text = (ROOT / "manifests" / name).read_text()
        changed = text.replace(line, "newName: registry/team/intent-classifier")
        (folder / name).write_text(changed)
    assert "image: registry/team/intent-classifier:v1\n" in on.backend.kubectl(
        "kustomize", str(folder)
    )


def test_a_model_under_mnt_models_is_served_as_a_storage_initializer_leaves_it(
    on: ClusterStage,
) -> None:
    """The image as it is, without arguments; another container brings the files."""
    predictor = intent("v2")["spec"]["predictor"]["containers"][0]
    mounts = [{"name": "model", "mountPath": "/mnt/models"}]
    common = {
        "image": f"{REGISTRY}/intent-classifier:v2",
        "securityContext": predictor["securityContext"],
        "volumeMounts": mounts,
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "mounted"},
        "spec": {
            "initContainers": [{"name": "storage", "command": COPY, **common}],
            "containers": [
                {
                    "name": "predictor",
                    "readinessProbe": predictor["readinessProbe"],
                    **common,
                    "image": f"{REGISTRY}/intent-classifier:v1",
                }
            ],
            "volumes": [{"name": "model", "emptyDir": {}}],
        },
    }
    on.backend.kubectl("apply", "-f", "-", given=json.dumps(pod))
    on.backend.kubectl("wait", "--for=condition=Ready", "pod/mounted")
    path = f"/api/v1/namespaces/{on.backend.namespace}/pods/mounted:8080/proxy"
    served = on.backend.cluster.get(f"{path}/v2/models/intent")
    assert served["name"] == "intent"
