"""What `gitops` prints for each backend."""

from pathlib import Path

import pytest
import yaml

from scripts.rollout.cli.gitops import gitops
from scripts.rollout.cli.options import Common
from scripts.rollout.errors import RolloutError
from scripts.rollout.traffic.routes.canary_ingress import CANARY


def _printed(folder: Path, target: str, capsys: pytest.CaptureFixture[str]) -> str:
    file = folder / "policy.yaml"
    file.write_text(f"target: {{{target}}}\n")
    gitops(file, Common())
    return capsys.readouterr().out


def test_a_routes_weights_are_ignored_by_plain_pointers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = _printed(tmp_path, "route: shop, backend: gateway", capsys)
    argo, flux, older = yaml.safe_load_all(said)
    assert "then set the live weights to 100 and 0 by kubectl" in said
    (ignored,) = argo["ignoreDifferences"]
    assert ignored["name"] == "shop"
    assert ignored["jsonPointers"] == [
        "/spec/rules/0/backendRefs/0/weight",
        "/spec/rules/0/backendRefs/1/weight",
    ]
    (rule,) = flux["spec"]["ignore"]
    assert rule["target"] == {"kind": "HTTPRoute", "name": "shop"}
    assert rule["paths"] == ignored["jsonPointers"]
    assert argo["syncPolicy"]["syncOptions"] == ["RespectIgnoreDifferences=true"]
    annotations = older["metadata"]["annotations"]
    assert annotations == {"kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent"}


@pytest.mark.parametrize("backend", ["knative", "standard"])
def test_a_percent_is_never_ignored_the_sync_is_suspended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], backend: str
) -> None:
    target = f"inferenceservice: intent, backend: {backend}"
    said = _printed(tmp_path, target, capsys)
    argo, flux = yaml.safe_load_all(said)
    assert argo["syncPolicy"]["automated"] == {"selfHeal": False}
    assert flux["hooks"]["pre"]["command"][:2] == ["flux", "suspend"]
    assert "Recommended: backend: gateway" in said
    assert "ignoreDifferences" not in said


def test_an_annotation_is_left_out_and_nothing_is_ignored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = _printed(tmp_path, "ingress: shop, backend: ingress-nginx", capsys)
    git = yaml.safe_load(said)
    assert git == {"metadata": {"annotations": {CANARY: "true"}}}
    assert "shop-canary" in said
    assert "give Ingress shop the promoted Service" in said


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("inferenceservice: intent", "local: no GitOps controller writes there"),
        ("proxy: intent, backend: haproxy", "into HAProxy's file before the next"),
        ("proxy: intent, backend: nginx", "write the split file anew with 0"),
        ("endpoint: intent, backend: sagemaker", "the endpoint's configuration"),
        ("llminferenceservice: intent, backend: group", "no GitOps settings are"),
    ],
)
def test_a_backend_without_gitops_says_what_else_puts_a_weight_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], target: str, said: str
) -> None:
    with pytest.raises(RolloutError, match=said):
        _printed(tmp_path, target, capsys)
