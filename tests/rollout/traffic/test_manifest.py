"""A manifest after the promotion: one field less, everything else as it was."""

import pytest
import yaml

from scripts.local.processes import ROOT
from scripts.rollout.errors import RolloutError
from scripts.rollout.traffic.manifest import without_percent

V2 = (ROOT / "manifests" / "isvc-v2.yaml").read_text()


def test_one_line_goes_and_every_comment_stays() -> None:
    changed = without_percent(V2, "intent")
    lines = V2.splitlines(keepends=True)
    gone = [line for line in lines if line.startswith("    canaryTrafficPercent:")]
    assert len(gone) == 1
    assert changed == V2.replace(gone[0], "")
    assert without_percent(changed, "intent") == changed


def test_other_documents_keep_theirs() -> None:
    other = V2.replace("name: intent\n", "name: other\n")
    changed = without_percent(f"{V2}---\n{other}", "other")
    first, second = yaml.safe_load_all(changed)
    assert first["spec"]["predictor"]["canaryTrafficPercent"] == 10
    assert "canaryTrafficPercent" not in second["spec"]["predictor"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "not YAML"),
        ("kind: Service\nmetadata: {name: intent}\n", "no InferenceService intent"),
        ("", "no InferenceService intent"),
        (
            "{kind: InferenceService, metadata: {name: intent},\n spec: "
            "{predictor: {minReplicas: 1, canaryTrafficPercent: 10}}}\n",
            "remove it by hand",
        ),
    ],
)
def test_what_cannot_be_changed_is_said(text: str, said: str) -> None:
    with pytest.raises(RolloutError, match=said):
        without_percent(text, "intent")
