"""manifests/: what `kubectl apply -f` takes, and what v1 and v2 may differ in."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from predictor.facts import METADATA_FILE, read_metadata
from predictor.overload import limits
from scripts.local import manifest
from scripts.local.processes import ROOT
from scripts.rollout.errors import Exit
from scripts.rollout.policy import reader
from tests.support.predictors import MODELS

SCHEMA = Path(__file__).parent / "data" / "inferenceservice-schema.json"
NAMES = ("isvc-v1.yaml", "isvc-v2.yaml", "isvc-grpc.yaml")
STANDARD = ("standard-mode/isvc-v1.yaml", "standard-mode/isvc-v2.yaml")


def _load(name: str) -> Any:
    return yaml.safe_load((ROOT / "manifests" / name).read_text())


def _strict(schema: Any) -> Any:
    """As kubectl validates: a field that the schema does not know is an error."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _strict(value) for key, value in schema.items()}
    is_object = isinstance(closed.get("properties"), dict) and "type" in closed
    if is_object and "additionalProperties" not in closed:
        closed["additionalProperties"] = False
    return closed


def _validator() -> jsonschema.Draft202012Validator:
    schema = _strict(json.loads(SCHEMA.read_text()))
    metadata = {"type": "object", "required": ["name"]}
    schema["properties"]["metadata"] = metadata
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("name", [*NAMES, *STANDARD])
def test_it_fits_the_schema_of_kserves_crd(name: str) -> None:
    assert list(_validator().iter_errors(_load(name))) == []


def test_the_schema_refuses_what_kubectl_would() -> None:
    document = _load("isvc-v1.yaml")
    document["spec"]["predictor"]["containers"][0]["agrs"] = ["typo"]
    document["spec"]["predictor"]["minReplicas"] = "one"
    assert len(list(_validator().iter_errors(document))) == 2


@pytest.mark.parametrize("name", NAMES)
def test_local_mode_takes_it(name: str) -> None:
    assert manifest.read([ROOT / "manifests" / name])


def _digest(version: str) -> str:
    return read_metadata(MODELS / version / METADATA_FILE).sha256


@pytest.mark.parametrize("name", [*NAMES, *STANDARD])
def test_each_pins_the_model_that_training_gives(name: str) -> None:
    """If not: make train writes the digest into the manifests; commit them."""
    (container,) = _load(name)["spec"]["predictor"]["containers"]
    _, directory, pin, *_ = container["args"]
    version = directory.removeprefix("--model_dir=models/")
    assert pin == f"--model_sha256={_digest(version)}"


def test_the_runtime_is_the_same_container_for_whatever_storage_brings() -> None:
    runtime, service = _load("runtime/runtime.yaml"), _load("runtime/isvc.yaml")
    model = service["spec"]["predictor"]["model"]
    (known,) = runtime["spec"]["supportedModelFormats"]
    assert model["runtime"] == runtime["metadata"]["name"]
    assert model["modelFormat"] == {"name": known["name"]}
    (container,) = runtime["spec"]["containers"]
    (other,) = _load("isvc-v1.yaml")["spec"]["predictor"]["containers"]
    assert container["args"] == ["--model_name={{.Name}}", "--model_dir=/mnt/models"]
    same = ("image", "ports", "livenessProbe", "resources", "securityContext")
    assert [container[key] for key in same] == [other[key] for key in same]
    path = container["readinessProbe"]["httpGet"]["path"]
    assert path.replace("{{.Name}}", "intent") == "/v2/models/intent/ready"


def test_the_runtimes_model_is_pinned_where_its_storage_cannot_write() -> None:
    model = _load("runtime/isvc.yaml")["spec"]["predictor"]["model"]
    assert model["storageUri"].endswith("/v1")
    assert model["env"] == [{"name": "MODEL_SHA256", "value": _digest("v1")}]


def test_v2_differs_from_v1_in_version_and_percent_only() -> None:
    text = json.dumps(_load("isvc-v1.yaml"))
    for old, new in (
        (_digest("v1"), _digest("v2")),
        ("classifier:v1", "classifier:v2"),
        ("models/v1", "models/v2"),
        ('"model-version": "v1"', '"model-version": "v2"'),
    ):
        assert old in text
        text = text.replace(old, new)
    expected = json.loads(text)
    expected["spec"]["predictor"]["canaryTrafficPercent"] = 10
    assert _load("isvc-v2.yaml") == expected


@pytest.mark.parametrize("name", NAMES)
def test_tags_mode_and_replicas_are_set_from_the_start(name: str) -> None:
    document = _load(name)
    annotations = document["metadata"]["annotations"]
    assert annotations["serving.kserve.io/deploymentMode"] == "Knative"
    assert manifest.has_tag_routing(document)
    assert document["spec"]["predictor"]["minReplicas"] == 1


@pytest.mark.parametrize("name", [*NAMES, *STANDARD])
def test_the_container_runs_under_the_restricted_standard(name: str) -> None:
    (container,) = _load(name)["spec"]["predictor"]["containers"]
    context = container["securityContext"]
    assert context["runAsNonRoot"] is context["readOnlyRootFilesystem"] is True
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert "securityContext" not in _load(name)["spec"]["predictor"]


def test_grpc_has_its_one_port_for_http2() -> None:
    (container,) = _load("isvc-grpc.yaml")["spec"]["predictor"]["containers"]
    assert container["ports"] == [
        {"name": "h2c", "containerPort": 8081, "protocol": "TCP"}
    ]


@pytest.mark.parametrize(
    ("name", "warning"),
    [
        ("isvc-v1.yaml", "REMOVES canaryTrafficPercent, and that"),
        ("isvc-v2.yaml", "removed  is the promotion"),
        ("isvc-v2.yaml", "90 percent go to v1"),
    ],
)
def test_the_traps_are_written_where_one_falls_into_them(
    name: str, warning: str
) -> None:
    assert warning in (ROOT / "manifests" / name).read_text()


def test_standard_mode_is_the_same_container_without_knative() -> None:
    for version in ("v1", "v2"):
        (container,) = _load(f"isvc-{version}.yaml")["spec"]["predictor"]["containers"]
        standard = _load(f"standard-mode/isvc-{version}.yaml")
        (other,) = standard["spec"]["predictor"]["containers"]
        revision = f"--revision={standard['metadata']['name']}-predictor"
        assert other["args"] == [*container["args"], revision]
        differ = {"args", "env", "lifecycle"}
        assert {k for k in other if other[k] != container.get(k)} == differ


def test_a_job_is_started_again_after_a_crash_and_not_after_a_verdict() -> None:
    spec = _load("promotion/job.yaml")["spec"]
    (fail,) = (r for r in spec["podFailurePolicy"]["rules"] if "onExitCodes" in r)
    goes_on = {Exit.PROMOTED, Exit.UNREACHABLE, Exit.UNVERIFIED}
    assert set(fail["onExitCodes"]["values"]) == set(map(int, Exit)) - goes_on
    assert spec["template"]["spec"]["restartPolicy"] == "Never"


def test_the_promoter_may_patch_one_inferenceservice_and_its_own_objects() -> None:
    text = (ROOT / "manifests" / "promotion" / "rbac.yaml").read_text()
    (role,) = (d for d in yaml.safe_load_all(text) if d["kind"] == "Role")
    verbs: Counter[str] = Counter()
    for rule in role["rules"]:
        assert "*" not in (*rule["resources"], *rule["verbs"], *rule["apiGroups"])
        if "patch" in rule["verbs"]:
            assert rule["resourceNames"] in (["intent"], ["intent-rollout"])
        verbs.update(rule["verbs"])
    assert set(verbs) == {"get", "list", "create", "patch"}


@pytest.mark.parametrize(
    "name", ["rollout.yaml", "promotion/rollout.yaml", "standard-mode/rollout.yaml"]
)
def test_shipped_policies_are_policies(name: str) -> None:
    assert reader.read(ROOT / "manifests" / name)


@pytest.mark.parametrize("name", STANDARD)
def test_a_pod_has_time_to_answer_all_before_it_is_killed(name: str) -> None:
    predictor = _load(name)["spec"]["predictor"]
    (container,) = predictor["containers"]
    sleep = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    has = predictor.get("terminationGracePeriodSeconds", 30)
    # HTTP ends first, then gRPC.
    assert sleep + limits.GRACE_S + 2 * limits.LAST_S < has
