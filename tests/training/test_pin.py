"""training.pin: a trained model's digest, in every manifest that serves it."""

import shutil
from pathlib import Path

import pytest
import yaml

from predictor.facts import METADATA_FILE, read_metadata
from scripts.local.processes import ROOT
from tests.support.commands import run
from tests.support.predictors import MODELS
from training.pin import pin

V1 = read_metadata(MODELS / "v1" / METADATA_FILE)
PINNED = {
    *("isvc-grpc.yaml", "isvc-v1.yaml", "runtime/isvc.yaml"),
    *("kubernetes/base/v1/model.yaml", "standard-mode/isvc-v1.yaml"),
}


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    """The shipped ones, to be written to."""
    shutil.copytree(ROOT / "manifests", tmp_path / "manifests")
    return tmp_path / "manifests"


def _names(folder: Path, paths: list[Path]) -> set[str]:
    return {str(path.relative_to(folder)) for path in paths}


def test_another_digest_is_written_wherever_the_version_is_served(
    manifests: Path,
) -> None:
    before = (manifests / "isvc-v2.yaml").read_text()
    named, changed = pin("v1", "ab" * 32, manifests)
    assert _names(manifests, changed) == PINNED
    assert named == changed
    text = (manifests / "isvc-v1.yaml").read_text()
    args = yaml.safe_load(text)["spec"]["predictor"]["containers"][0]["args"]
    assert args[1:] == ["--model_dir=models/v1", f"--model_sha256={'ab' * 32}"]
    assert (manifests / "isvc-v2.yaml").read_text() == before


def test_the_same_digest_changes_no_file(manifests: Path) -> None:
    pin("v1", V1.sha256, manifests)
    named, changed = pin("v1", V1.sha256, manifests)
    assert len(named) == len(PINNED)
    assert changed == []


def test_a_model_of_ones_own_is_told_its_flag(manifests: Path) -> None:
    shutil.copytree(MODELS / "v1", manifests / "models" / "mine")
    places = ("--models", str(manifests / "models"), "--manifests", str(manifests))
    code, printed = run("training.pin", "mine", *places)
    assert code == 0, printed
    assert printed == (
        f"mine: no manifest pins it; in yours: --model_sha256={V1.sha256}\n"
    )


def test_what_was_not_trained_is_one_line(tmp_path: Path) -> None:
    code, printed = run("training.pin", "v9", "--models", str(tmp_path))
    assert (code, len(printed.splitlines())) == (3, 1)
    assert "v9" in printed


def test_an_image_is_built_of_the_model_that_the_manifests_pin() -> None:
    """`make image` and `make train` write the pin, each in their rule."""
    makefile = (ROOT / "Makefile").read_text()
    assert "training.pin $(MODEL)\n" in makefile.split("\nimage:")[1].split("\n\n")[0]
    train = makefile.split("-m training.train --version $*\n")[1]
    assert train.startswith("\t$(RUN) -m training.pin $*\n")
