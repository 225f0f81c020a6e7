"""scripts.local.manifest: what is refused, and what makes a revision."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.local import manifest
from scripts.local.errors import ManifestError
from scripts.local.processes import ROOT

V1 = yaml.safe_load((ROOT / "manifests" / "isvc-v1.yaml").read_text())


def _with(path: str, value: Any) -> Any:
    document = copy.deepcopy(V1)
    *parents, last = path.split(".")
    place = document
    for name in parents:
        place = place[int(name) if name.isdecimal() else name]
    place[last] = value
    return document


CONTAINER = "spec.predictor.containers.0"
STANDARD = {manifest.DEPLOYMENT_MODE: "Standard"}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("apiVersion", "v1", "apiVersion: expected serving.kserve.io/v1beta1"),
        ("kind", "Service", "kind: expected InferenceService, got 'Service'"),
        ("metadata.name", "Intent!", "metadata.name: expected a DNS label"),
        ("metadata.name", None, "metadata.name: expected a DNS label, got None"),
        ("metadata.namespace", "../../elsewhere", "namespace: expected a DNS label"),
        ("metadata.annotations", 5, "metadata.annotations: expected fields, got 5"),
        ("metadata.labels", ["a"], "metadata.labels: expected fields"),
        ("spec.predictor", None, r"spec\.predictor: missing"),
        ("spec.predictor.timeout", "soon", "timeout: expected an integer, got 'soon'"),
        ("spec.predictor.volumes", 5, "volumes: expected a list, got 5"),
        (f"{CONTAINER}.env", 5, r"containers\[0\]\.env: expected a list, got 5"),
        (f"{CONTAINER}.ports", {}, r"containers\[0\]\.ports: expected a list"),
        ("spec.predictor.canaryTrafficPercent", 150, "from 0 to 100, got 150"),
        ("spec.predictor.canaryTrafficPercent", -1, "from 0 to 100, got -1"),
        ("spec.predictor.canaryTrafficPercent", "10", "from 0 to 100, got '10'"),
        ("spec.predictor.canaryTrafficPercent", True, "from 0 to 100, got True"),
        ("spec.transformer", {}, r"spec\.transformer: local mode runs the predictor"),
        ("metadata.annotations", STANDARD, r"deploymentMode: local mode follows"),
        (f"{CONTAINER}.command", ["sh"], r"containers\[0\]\.command: local mode"),
    ],
)
def test_a_bad_field_is_named(path: str, value: Any, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        manifest.check(_with(path, value))


def test_what_a_manifest_says_is_told_up_to_a_number(tmp_path: Path) -> None:
    path = tmp_path / "manifest.yaml"
    path.write_text(yaml.safe_dump(_with("metadata.name", "x" * 50_000)))
    with pytest.raises(ManifestError) as fault:
        manifest.read([path])
    assert len(str(fault.value)) <= manifest.LONGEST_REASON


@pytest.mark.parametrize("document", [None, [], "text", 7])
def test_what_is_no_object_is_refused(document: Any) -> None:
    with pytest.raises(ManifestError, match="apiVersion: expected"):
        manifest.check(document)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: [", "not YAML"),
        ("", "no InferenceService inside"),
        ("---\n---\n", "no InferenceService inside"),
        ("kind: Pod", "apiVersion: expected"),
        ("made: 2026-11-23", "a value has no JSON form"),
        ("made: 2026-99-99", "not YAML: month must be"),
        ("a: &a [x]\nb: [*a, *a]", "not YAML: line 1: anchors are not read"),
        ("[" * 40 + "]" * 40, "not YAML: line 1: nested more than 32 deep"),
        ("a: " + "x" * 300_000, "not YAML: expected at most 262144 bytes"),
        ("kind: A\nspec: {a: 1, a: 2}", "spec.a: given twice, again in line 2"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "isvc.yaml"
    path.write_text(content)
    with pytest.raises(ManifestError, match=rf"isvc\.yaml: {message}"):
        manifest.read([path])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="No such file"):
        manifest.read([tmp_path / "none.yaml"])


def test_the_percent_is_no_part_of_the_template() -> None:
    changed = _with("spec.predictor.canaryTrafficPercent", 10)
    assert manifest.template(changed) == manifest.template(V1)
    assert manifest.percent(changed) == 10


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{CONTAINER}.image", "other"),
        ("spec.predictor.minReplicas", 2),
        ("spec.predictor.timeout", 61),
        ("metadata.labels", {"a": "b"}),
        ("metadata.annotations", {"a": "b"}),
    ],
)
def test_anything_else_makes_a_revision(path: str, value: Any) -> None:
    assert manifest.template(_with(path, value)) != manifest.template(V1)


def test_the_rollout_duration_makes_none() -> None:
    changed = copy.deepcopy(V1)
    changed["metadata"]["annotations"]["serving.knative.dev/rollout-duration"] = "9s"
    assert manifest.template(changed) == manifest.template(V1)


@pytest.mark.parametrize(
    ("value", "seconds"), [("120s", 120), ("2m", 120), ("soon", 600), ("", 600)]
)
def test_the_progress_deadline(value: str, seconds: float) -> None:
    annotations = {manifest.PROGRESS_DEADLINE: value}
    document = _with("metadata.annotations", annotations)
    assert manifest.deadline_s(manifest.template(document)) == seconds
