"""manifests/sagemaker: its page, its template, and that both say what is asked."""

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from predictor.facts import METADATA_FILE, MODEL_FILE
from scripts.local.processes import ROOT
from scripts.rollout.policy.reader import read
from tests.support import documentation
from tests.support.predictors import MODELS

FOLDER = ROOT / "manifests" / "sagemaker"
PAGE = str((FOLDER / "README.md").relative_to(ROOT))
ASKED = re.compile(r'"((?:describe|update|invoke|get)_[a-z_]+)"')


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short functions as their names and arguments."""


def _function(loader: Loader, name: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    assert isinstance(node, yaml.SequenceNode)
    return {name: loader.construct_sequence(node, deep=True)}


Loader.add_multi_constructor("!", _function)


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    text = (FOLDER / "template.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.load(text, Loader)["Resources"]
    return found


def test_the_page_is_short_and_its_commands_work(tmp_path: Path) -> None:
    assert len(documentation.text(PAGE).splitlines()) <= 40
    (block,) = documentation.blocks(PAGE, "sh")
    for name in ("models", "manifests"):
        (tmp_path / name).symlink_to(ROOT / name)
    line = f'intent-canary() {{ "{sys.executable}" -m scripts.canary "$@"; }}\n'
    subprocess.run(
        ["bash", "-euc", line + block],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        timeout=100,
    )
    for version in ("v1", "v2"):
        with tarfile.open(tmp_path / f"build/sagemaker/{version}.tar.gz") as archive:
            assert archive.getnames() == [MODEL_FILE, METADATA_FILE]
        assert (MODELS / version / MODEL_FILE).is_file()


def test_one_variant_has_the_initial_weight_0(resources: dict[str, Any]) -> None:
    variants = resources["Configuration"]["Properties"]["ProductionVariants"]
    weights = {
        each["VariantName"]["Ref"]: each["InitialVariantWeight"] for each in variants
    }
    assert weights == {"StableVersion": 100, "CanaryVersion": 0}


def test_an_update_of_the_stack_keeps_weights(resources: dict[str, Any]) -> None:
    assert resources["Endpoint"]["Properties"]["RetainAllVariantProperties"] is True


def test_the_policy_reads_the_periods_that_are_published(
    resources: dict[str, Any],
) -> None:
    metrics = resources["Configuration"]["Properties"]["MetricsConfig"]
    policy = read(FOLDER / "rollout.yaml")
    assert policy.source.cloudwatch.period == metrics["MetricPublishFrequencyInSeconds"]
    assert metrics["EnableEnhancedMetrics"] is True


def test_both_models_are_pinned_and_have_no_network(resources: dict[str, Any]) -> None:
    for arm in ("Stable", "Canary"):
        model = resources[f"{arm}Model"]["Properties"]
        pin = model["PrimaryContainer"]["Environment"]["MODEL_SHA256"]
        assert pin == {"Ref": f"{arm}Sha256"}
        assert model["EnableNetworkIsolation"] is True


def test_the_next_stacks_stable_may_be_this_ones_canary(
    resources: dict[str, Any],
) -> None:
    """A name that the canary has still could not be given to the stable."""
    for arm in ("Stable", "Canary"):
        assert "ModelName" not in resources[f"{arm}Model"]["Properties"]


def test_the_promoter_may_do_what_it_asks_for_and_no_more(
    resources: dict[str, Any],
) -> None:
    statements = resources["PromoterPolicy"]["Properties"]["PolicyDocument"][
        "Statement"
    ]
    allowed = {
        action.partition(":")[2]
        for each in statements
        for action in (
            [each["Action"]] if isinstance(each["Action"], str) else each["Action"]
        )
    }
    code = ROOT / "scripts" / "rollout"
    files = [code / "traffic" / "sagemaker.py", code / "metrics/cloudwatch/source.py"]
    asked = {name for file in files for name in ASKED.findall(file.read_text())}
    assert {each.title().replace("_", "") for each in asked} == allowed
