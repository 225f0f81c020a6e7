"""Models from a volume and from S3: the next version is another storageUri.

And an image with a pickle of one's own.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import requests
import yaml

from scripts.local.processes import ROOT
from tests.e2e.images import OWN, STORAGE
from tests.support import documentation
from tests.support.backends import intent, serves, settles
from tests.support.cluster_stage import ClusterStage
from tests.support.own_pipelines import german
from tests.support.site import REGISTRY, Object, Site, site

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
# KServe's own image for it needs a registry; here this one is for one bucket.
INITIALIZER = """
apiVersion: serving.kserve.io/v1alpha1
kind: ClusterStorageContainer
metadata: {{name: {namespace}}}
spec:
  supportedUriFormats: [{{prefix: "s3://{namespace}/"}}]
  container:
    name: storage-initializer
    image: {image}
    imagePullPolicy: IfNotPresent
    resources: {{requests: {{cpu: 20m, memory: 100Mi}}, limits: {{memory: 1Gi}}}}
    securityContext:
      runAsNonRoot: true
      allowPrivilegeEscalation: false
      capabilities: {{drop: [ALL]}}
      seccompProfile: {{type: RuntimeDefault}}
"""
S3 = """
apiVersion: v1
kind: Pod
metadata: {{name: s3, labels: {{app: s3}}}}
spec:
  containers:
    - name: moto
      image: {image}
      imagePullPolicy: IfNotPresent
      command: [python, -m, moto.server, -H, 0.0.0.0, -p, "5000"]
      readinessProbe: {{tcpSocket: {{port: 5000}}, periodSeconds: 1}}
      securityContext:
        runAsNonRoot: true
        allowPrivilegeEscalation: false
        capabilities: {{drop: [ALL]}}
        seccompProfile: {{type: RuntimeDefault}}
---
apiVersion: v1
kind: Service
metadata: {{name: s3}}
spec: {{selector: {{app: s3}}, ports: [{{port: 5000}}]}}
"""


def _service(
    version: str, percent: int | None, uri: str = "pvc://models", pinned: str = ""
) -> str:
    """The shipped one with a model from `uri`, and its pin or another's."""
    document: Object = yaml.safe_load((RUNTIME / "isvc.yaml").read_text())
    facts = ROOT / "models" / (pinned or version) / "metadata.json"
    predictor = document["spec"]["predictor"]
    predictor["canaryTrafficPercent"] = percent
    predictor["model"]["storageUri"] = f"{uri}/{version}"
    (pin,) = predictor["model"]["env"]
    pin["value"] = json.loads(facts.read_text())["sha256"]
    return yaml.safe_dump(document)


def _applied(backend: Site, service: str) -> None:
    """The runtime, and a first version rolled out in full."""
    runtime = (RUNTIME / "runtime.yaml").read_text()
    runtime = runtime.replace("dev.local", REGISTRY).replace("250m", "20m")
    backend.kubectl("apply", "-f", "-", given=runtime)
    backend.kubectl("apply", "-f", "-", given=service)
    settles(backend, [("1", 100)], created="1")


@pytest.fixture
def on(tmp_path: Path) -> Iterator[ClusterStage]:
    """A volume with both models, and v1 rolled out in full from it."""
    with site(tmp_path) as backend:
        built = ClusterStage(backend, tmp_path)
        models = Path("/var/tmp") / backend.namespace
        shutil.copytree(ROOT / "models", models)
        volume = VOLUME.format(namespace=backend.namespace, path=models)
        backend.kubectl("apply", "-f", "-", given=volume)
        _applied(backend, _service("v1", None))
        try:
            yield built
        finally:
            built.forbid()
            backend.kubectl("delete", "pv", backend.namespace, "--wait=false")
            shutil.rmtree(models)


@contextmanager
def _bucket(backend: Site) -> Iterator[str]:
    """Both models in S3, whose login the service's account has; where they are."""
    image = f"{REGISTRY}/{STORAGE}"
    backend.kubectl("apply", "-f", "-", given=S3.format(image=image))
    initializer = INITIALIZER.format(namespace=backend.namespace, image=image)
    backend.kubectl("apply", "-f", "-", given=initializer)
    try:
        (login,) = documentation.blocks("manifests/runtime/README.md", "yaml")[1:]
        address = f"s3.{backend.namespace}.svc.cluster.local:5000"
        login = login.replace("s3.example.com", address).replace("…", "anybody")
        plain = '  annotations:\n    serving.kserve.io/s3-usehttps: "0"'
        login = login.replace("  annotations:", plain)
        backend.kubectl("apply", "-f", "-", given=login)
        backend.kubectl("wait", "--for=condition=Ready", "pod/s3", "--timeout=60s")
        address = backend.kubectl("get", "pod", "s3", "-o", "jsonpath={.status.podIP}")
        url = f"http://{address}:5000/{backend.namespace}"
        requests.put(url, timeout=10).raise_for_status()
        for version in ("v1", "v2"):
            for file in (ROOT / "models" / version).iterdir():
                found = f"{url}/{version}/{file.name}"
                requests.put(found, file.read_bytes(), timeout=10).raise_for_status()
        yield f"s3://{backend.namespace}"
    finally:
        backend.kubectl("delete", "clusterstoragecontainer", backend.namespace)


def test_another_storage_uri_is_a_canary_and_is_promoted(on: ClusterStage) -> None:
    _promoted(on, _service("v2", 0))


def test_a_model_of_s3_comes_by_kserves_own_package(tmp_path: Path) -> None:
    with site(tmp_path) as backend, _bucket(backend) as uri:
        service = partial(_as_models, uri=uri)
        _applied(backend, service("v1", None))
        _promoted(ClusterStage(backend, tmp_path), service("v2", 0))


def _as_models(version: str, percent: int | None, uri: str) -> str:
    """The service with the account whose Secret is the bucket's.

    Of two initializers for an address KServe takes any, unless one is named.
    """
    document: Object = yaml.safe_load(_service(version, percent, uri))
    predictor = document["spec"]["predictor"]
    predictor["serviceAccountName"] = "models"
    predictor["storageContainerName"] = uri.removeprefix("s3://")
    return yaml.safe_dump(document)


def _promoted(on: ClusterStage, service: str) -> None:
    """The next version begins at 0 percent and gets all."""
    backend = on.backend
    backend.kubectl("apply", "-f", "-", given=service)
    settles(backend, [("2", 0), ("1", 100)], created="2")
    verdict = on.run()
    assert verdict.code == 0, verdict.said
    answer = backend.ask(backend.host)
    assert answer.headers["x-model-version"] == "v2"


def test_an_image_of_ones_own_pickle_answers_as_the_pickle(tmp_path: Path) -> None:
    with site(tmp_path) as backend:
        document = intent("v1")
        (container,) = document["spec"]["predictor"]["containers"]
        container["image"] = f"dev.local/intent-classifier:{OWN}"
        serves(document, f"models/{OWN}")
        backend.apply(document)
        settles(backend, [("1", 100)], created="1")
        texts = ["Grüß Gott", "wo <b>bleibt</b> es?", "so ein kaputter Dienst 😀"]
        found = requests.post(
            f"{backend.url}/v1/models/intent:predict",
            json={"instances": texts},
            headers={"Host": backend.host},
            timeout=30,
        ).json()["predictions"]
    pipeline = german()
    assert [each["label"] for each in found] == pipeline.predict(texts).tolist()
    expected = pipeline.predict_proba(texts)
    for each, row in zip(found, expected.tolist(), strict=True):
        assert list(each["probabilities"].values()) == pytest.approx(row, abs=1e-12)


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
