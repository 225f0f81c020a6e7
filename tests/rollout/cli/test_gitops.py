"""What `gitops` prints for each backend."""

from pathlib import Path

import pytest
import yaml

from scripts.rollout.cli.gitops import gitops
from scripts.rollout.cli.options import Common
from scripts.rollout.errors import RolloutError


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


def test_a_backend_without_gitops_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RolloutError, match=r"target\.backend local: no GitOps"):
        _printed(tmp_path, "inferenceservice: intent", capsys)
