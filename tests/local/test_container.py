"""scripts.local.container: what becomes a process, and that nothing else is dropped."""

import copy
from typing import Any

import pytest

from scripts.local import container, manifest
from scripts.local.errors import ManifestError
from tests.local.test_manifest import V1

FIRST = r"spec\.predictor\.containers\[0\]"


def _template(of_container: Any = None, **of_pod: Any) -> Any:
    document = copy.deepcopy(V1)
    document["spec"]["predictor"]["containers"][0] |= of_container or {}
    document["spec"]["predictor"] |= of_pod
    return manifest.template(document)


def test_the_container_of_a_template() -> None:
    found = container.read(_template())
    assert found.args[:2] == ("--model_name=intent", "--model_dir=models/v1")
    assert found.env["GRPC_PORT"] == "8081"
    assert found.probe_path == "/v2/models/intent/ready"
    assert (found.timeout_s, found.is_http2) == (60, False)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("command", ["sh"], r"\.command: local mode cannot carry it out"),
        ("envFrom", [{}], r"\.envFrom: local mode cannot carry it out"),
        ("lifecycle", {}, r"\.lifecycle: local mode cannot carry it out"),
        ("workingDir", "/", r"\.workingDir: local mode cannot carry it out"),
        ("startupProbe", {}, r"\.startupProbe: local mode cannot carry it out"),
        ("args", "--a", r"\.args: expected a list, got '--a'"),
        ("env", [{"name": "A", "valueFrom": {}}], r"\.env\[0\]\.valueFrom: local"),
        ("env", [{"name": "A", "value": 1}], r"\.env\[0\]: expected .* string value"),
        ("ports", [{}, {}], r"\.ports: Knative allows exactly one port"),
        ("ports", [8080], r"\.ports\[0\]: expected fields, got 8080"),
        ("readinessProbe", {"exec": {}}, r"\.readinessProbe\.exec: local mode"),
        (
            "readinessProbe",
            {"httpGet": {"path": "/", "port": 9}},
            r"\.readinessProbe\.httpGet\.port: local mode",
        ),
        (
            "volumeMounts",
            [{"name": "tmp", "mountPath": "/mnt/models"}],
            r"\.volumeMounts\[0\]\.mountPath: local mode",
        ),
    ],
)
def test_what_a_process_here_cannot_have_is_refused_by_its_path(
    field: str, value: Any, message: str
) -> None:
    with pytest.raises(ManifestError, match=f"^{FIRST}{message}"):
        container.read(_template({field: value}))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("containers", [], "expected exactly one container"),
        ("containers", ["v1"], r"spec\.predictor\.containers\[0\]: expected fields"),
        ("initContainers", [{}], r"spec\.predictor\.initContainers: local mode"),
        ("model", {}, r"spec\.predictor\.model: local mode cannot carry it out"),
        ("containerConcurrency", 4, "containerConcurrency: local mode"),
        ("volumes", [{"secret": {}}], r"spec\.predictor\.volumes\[0\]: local mode"),
    ],
)
def test_what_a_pod_would_have_besides_is_refused_by_its_path(
    field: str, value: Any, message: str
) -> None:
    with pytest.raises(ManifestError, match=message):
        container.read(_template(**{field: value}))


def test_two_of_one_process_are_told_apart_by_nothing_but_what_runs() -> None:
    other = _template({"image": "x", "env": []}, minReplicas=3)
    container.check_is_new(other, [_template()])
    with pytest.raises(ManifestError, match=r"minReplicas, spec.*\.image: an earlier"):
        container.check_is_new(_template({"image": "x"}, minReplicas=3), [_template()])
