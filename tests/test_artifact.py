"""predictor.artifact: nothing is trusted before it is checked."""

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import joblib
import pytest

from predictor import artifact
from predictor.errors import ArtifactError
from tests.support.predictors import MODELS


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MODELS / "v1", tmp_path / "v1"))


def _edit(model: Path, **changes: Any) -> None:
    path = model / artifact.METADATA_FILE
    facts = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(facts))


def _replace_pickle(model: Path, content: bytes) -> None:
    (model / artifact.MODEL_FILE).write_bytes(content)
    _edit(model, sha256=artifact._digest(content))


def test_a_good_artifact_is_read_with_its_facts(model: Path) -> None:
    loaded = artifact.read(model)
    assert loaded.metadata.version == "v1"
    assert loaded.metadata.labels == ("complaint", "greeting", "praise", "question")
    assert loaded.pipeline.predict(["good morning"]).tolist() == ["greeting"]


def test_a_digest_given_from_outside_is_checked_too(model: Path) -> None:
    digest = artifact.read(model).metadata.sha256
    assert artifact.read(model, digest.upper()).metadata.sha256 == digest
    with pytest.raises(ArtifactError, match="model_sha256 says 0000"):
        artifact.read(model, "0" * 64)


def test_a_flipped_byte_is_refused(model: Path) -> None:
    path = model / artifact.MODEL_FILE
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="not unpickled"):
        artifact.read(model)


class _Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_a_foreign_pickle_never_runs(model: Path, tmp_path: Path) -> None:
    trace = tmp_path / "it ran"
    (model / artifact.MODEL_FILE).write_bytes(pickle.dumps(_Bomb(trace)))
    with pytest.raises(ArtifactError):
        artifact.read(model)
    assert not trace.exists()


def test_another_scikit_learn_is_refused_before_unpickling(
    model: Path, tmp_path: Path
) -> None:
    trace = tmp_path / "it ran"
    _replace_pickle(model, pickle.dumps(_Bomb(trace)))
    _edit(model, packages={"scikit-learn": "1.2.2"})
    with pytest.raises(ArtifactError, match=r"fitted with scikit-learn 1\.2\.2"):
        artifact.read(model)
    assert not trace.exists()


def test_bytes_that_are_no_pickle_are_refused(model: Path) -> None:
    _replace_pickle(model, b"not a pickle")
    with pytest.raises(ArtifactError, match="cannot be unpickled"):
        artifact.read(model)


def test_a_pickle_of_something_else_is_refused(model: Path, tmp_path: Path) -> None:
    joblib.dump({"a": 1}, tmp_path / "other")
    _replace_pickle(model, (tmp_path / "other").read_bytes())
    with pytest.raises(ArtifactError, match="not a fitted text classifier"):
        artifact.read(model)


def test_other_labels_than_at_training_are_refused(model: Path) -> None:
    _edit(model, labels=["complaint", "praise"])
    with pytest.raises(ArtifactError, match="labels are"):
        artifact.read(model)


def test_another_answer_to_the_probe_is_refused(model: Path) -> None:
    probe = {"text": "Hi, how are you?", "label": "greeting", "confidence": 0.5}
    _edit(model, probe=probe)
    with pytest.raises(ArtifactError, match=r"at training it gave greeting 0\.5"):
        artifact.read(model)


@pytest.mark.parametrize("name", [artifact.MODEL_FILE, artifact.METADATA_FILE])
def test_a_missing_file_is_named(model: Path, name: str) -> None:
    (model / name).unlink()
    with pytest.raises(ArtifactError, match=f"{name}: No such file"):
        artifact.read(model)


@pytest.mark.parametrize("content", ["{", "[]", '{"version": "v1"}'])
def test_metadata_that_are_none_are_refused(model: Path, content: str) -> None:
    (model / artifact.METADATA_FILE).write_text(content)
    with pytest.raises(ArtifactError, match="not the metadata of a model"):
        artifact.read(model)
