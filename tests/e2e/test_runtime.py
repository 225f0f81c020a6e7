"""manifests/runtime: models from a volume; the next version is another storageUri."""

import json
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml

from scripts.local.processes import ROOT
from tests.support.backends import settles
from tests.support.cluster_stage import ClusterStage
from tests.support.site import REGISTRY, Object, site

RUNTIME = ROOT / "manifests" / "runtime"
VOLUME = """
apiVersion: v1
kind: PersistentVolume
metadata: {{name: {namespace}}}
spec: &both
  capacity: {{storage: 1Gi}}
  accessModes: [ReadOnlyMany]
  storageClassName: ""
  claimRef: {{namespace: {namespace}, name: models}}
  hostPath: {{path: {path}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: models}}
spec:
  accessModes: [ReadOnlyMany]
  storageClassName: ""
  volumeName: {namespace}
  resources: {{requests: {{storage: 1Gi}}}}
"""


def _service(version: str, percent: int | None, *, pinned: str = "") -> str:
    """The shipped one with a model from the volume, and its pin or another's."""
    document: Object = yaml.safe_load((RUNTIME / "isvc.yaml").read_text())
    facts = ROOT / "models" / (pinned or version) / "metadata.json"
    predictor = document["spec"]["predictor"]
    predictor["canaryTrafficPercent"] = percent
    predictor["model"]["storageUri"] = f"pvc://models/{version}"
    (pin,) = predictor["model"]["env"]
    pin["value"] = json.loads(facts.read_text())["sha256"]
    return yaml.safe_dump(document)


@pytest.fixture
def on(tmp_path: Path) -> Iterator[ClusterStage]:
    """A volume with both models, and v1 rolled out in full from it."""
    with site(tmp_path) as backend:
        built = ClusterStage(backend, tmp_path)
        models = Path("/var/tmp") / backend.namespace
        shutil.copytree(ROOT / "models", models)
        volume = VOLUME.format(namespace=backend.namespace, path=models)
        backend.kubectl("apply", "-f", "-", given=volume)
        runtime = (RUNTIME / "runtime.yaml").read_text()
        runtime = runtime.replace("dev.local", REGISTRY).replace("250m", "20m")
        backend.kubectl("apply", "-f", "-", given=runtime)
        backend.kubectl("apply", "-f", "-", given=_service("v1", None))
        settles(backend, [("1", 100)], created="1")
        try:
            yield built
        finally:
            built.forbid()
            backend.kubectl("delete", "pv", backend.namespace, "--wait=false")
            shutil.rmtree(models)


def test_another_storage_uri_is_a_canary_and_is_promoted(on: ClusterStage) -> None:
    backend = on.backend
    backend.kubectl("apply", "-f", "-", given=_service("v2", 0))
    settles(backend, [("2", 0), ("1", 100)], created="2")
    verdict = on.run()
    assert verdict.code == 0
    answer = backend.ask(backend.host)
    assert answer.headers["x-model-version"] == "v2"


def test_a_pin_that_does_not_fit_is_one_line_and_no_traffic(on: ClusterStage) -> None:
    backend = on.backend
    backend.kubectl("apply", "-f", "-", given=_service("v2", 0, pinned="v1"))
    said = on.until(partial(_refusal, on))
    (line,) = said.splitlines()
    assert line.startswith("error: /mnt/models/intent_model.pkl: its sha256 is ")
    assert "not unpickled" in line
    assert not on.is_ready()
    assert on.percent("intent-predictor-00001") == 100


def _refusal(on: ClusterStage) -> str:
    """What the newest revision's container has said before it was started again."""
    chosen = f"serving.knative.dev/revision={on.newest()}"
    where = ("-l", chosen, "-o", "name")
    for pod in on.backend.kubectl("get", "pods", *where).split():
        restarts = "jsonpath={.status.containerStatuses[*].lastState.terminated.reason}"
        if "Error" in on.backend.kubectl("get", pod, "-o", restarts):
            return on.backend.kubectl("logs", pod, "-c", "kserve-container", "-p")
    return ""
