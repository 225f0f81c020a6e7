"""manifests/kubernetes: its page is short, and both overlays build to what it says."""

import re
import shutil
import subprocess
from collections import Counter
from typing import Any

import pytest
import yaml

from predictor.facts import METADATA_FILE, read_metadata
from scripts.local.processes import ROOT
from scripts.rollout.policy.reader import read
from tests.support import documentation
from tests.support.predictors import MODELS

FOLDER = ROOT / "manifests" / "kubernetes"
PAGE = str((FOLDER / "README.md").relative_to(ROOT))
OVERLAYS = ("gateway-api", "ingress-nginx")
EACH = ("Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget")


def _built(overlay: str) -> list[dict[str, Any]]:
    """The overlay's objects, as kubectl would send them."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("needs kubectl")
    command = [kubectl, "kustomize", str(FOLDER / "overlays" / overlay)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def _of(built: list[dict[str, Any]], kind: str) -> list[Any]:
    return [each for each in built if each["kind"] == kind]


def test_the_page_is_short_and_its_links_lead_somewhere() -> None:
    text = documentation.text(PAGE)
    assert len(text.splitlines()) <= 40
    links = [each.partition("#")[0] for each in re.findall(r"\]\(([^)]+)\)", text)]
    assert [each for each in links if not (FOLDER / each).exists()] == []


def test_the_pages_commands_name_what_is_shipped() -> None:
    (block,) = documentation.blocks(PAGE, "sh")
    paths = re.findall(r"manifests/\S+", block)
    assert paths
    assert [each for each in paths if not (ROOT / each).exists()] == []


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_each_version_has_all_its_objects_under_its_own_name(overlay: str) -> None:
    built = _built(overlay)
    names = Counter((each["kind"], each["metadata"]["name"]) for each in built)
    for kind in EACH:
        assert [name for of, name in names if of == kind] == ["intent-v1", "intent-v2"]
    assert set(names.values()) == {1}
    for number, deployment in enumerate(_of(built, "Deployment"), 1):
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert container["image"] == f"dev.local/intent-classifier:v{number}"
        assert "replicas" not in deployment["spec"]
        facts = read_metadata(MODELS / f"v{number}" / METADATA_FILE)
        assert f"--model_dir=models/v{number}" in container["args"]
        assert f"--model_sha256={facts.sha256}" in container["args"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_selector_is_of_one_version(overlay: str) -> None:
    built = _built(overlay)
    selectors = [each["spec"]["selector"] for each in _of(built, "Service")]
    for kind in ("Deployment", "PodDisruptionBudget"):
        mine = [each["spec"]["selector"]["matchLabels"] for each in _of(built, kind)]
        assert mine == selectors
    assert [each["model-version"] for each in selectors] == ["v1", "v2"]
    scaled = [e["spec"]["scaleTargetRef"]["name"] for e in _of(built, EACH[2])]
    assert scaled == ["intent-v1", "intent-v2"]


@pytest.mark.parametrize(
    ("overlay", "gateway"),
    [("gateway-api", "projectcontour"), ("ingress-nginx", "ingress-nginx")],
)
def test_predictors_are_asked_by_the_gateway_and_ask_nobody(
    overlay: str, gateway: str
) -> None:
    (policy,) = _of(_built(overlay), "NetworkPolicy")
    (rule,) = policy["spec"]["ingress"]
    (own, other) = rule["from"]
    assert own == {"podSelector": {}}
    labels = other["namespaceSelector"]["matchLabels"]
    assert labels == {"kubernetes.io/metadata.name": gateway}
    assert "egress" not in policy["spec"]
    assert "Egress" in policy["spec"]["policyTypes"]


def test_the_new_version_has_no_traffic_before_its_rollout() -> None:
    (route,) = _of(_built("gateway-api"), "HTTPRoute")
    (rule,) = route["spec"]["rules"]
    weights = {each["name"]: each["weight"] for each in rule["backendRefs"]}
    assert weights == {"intent-v1": 100, "intent-v2": 0}
    stable, canary = _of(_built("ingress-nginx"), "Ingress")
    weight = "nginx.ingress.kubernetes.io/canary-weight"
    assert weight not in stable["metadata"].get("annotations", {})
    assert canary["metadata"]["annotations"][weight] == "0"


@pytest.mark.parametrize(
    ("overlay", "backend"),
    [("gateway-api", "gateway"), ("ingress-nginx", "ingress-nginx")],
)
def test_an_overlays_policy_is_of_its_backend(overlay: str, backend: str) -> None:
    policy = read(FOLDER / "overlays" / overlay / "rollout.yaml")
    assert (policy.target.backend, policy.target.name) == (backend, "intent")
