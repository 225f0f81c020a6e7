"""predictor.artifact: nothing is trusted before it is checked."""

import functools
import hashlib
import io
import json
import os
import pickle
import shutil
import sys
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from numpy.testing._private.utils import runstring
from sklearn.datasets import fetch_openml
from sklearn.pipeline import Pipeline

from predictor import artifact
from predictor.errors import ArtifactError
from predictor.facts import METADATA_FILE, MODEL_FILE
from tests.faults.pipelines import Healthy
from tests.support.predictors import MODELS


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MODELS / "v1", tmp_path / "v1"))


def _edit(model: Path, **changes: Any) -> None:
    path = model / METADATA_FILE
    facts = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(facts))


def _replace_pickle(model: Path, content: bytes) -> None:
    (model / MODEL_FILE).write_bytes(content)
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
    path = model / MODEL_FILE
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
    (model / MODEL_FILE).write_bytes(pickle.dumps(_Bomb(trace)))
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


@pytest.mark.parametrize("name", [MODEL_FILE, METADATA_FILE])
def test_a_missing_file_is_named(model: Path, name: str) -> None:
    (model / name).unlink()
    with pytest.raises(ArtifactError, match=f"{name}: No such file"):
        artifact.read(model)


@pytest.mark.parametrize("content", ["{", "[]", '{"version": "v1"}'])
def test_metadata_that_are_none_are_refused(model: Path, content: str) -> None:
    (model / METADATA_FILE).write_text(content)
    with pytest.raises(ArtifactError, match="not the metadata of a model"):
        artifact.read(model)


def _written(model: Path, content: bytes) -> Path:
    _replace_pickle(model, content)
    return model


class _Calls:
    """Whatever is unpickled calls this."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.function, self.args = function, args

    def __reduce__(self) -> Any:
        return self.function, self.args

    def __call__(self, *args: Any) -> None:
        """Pickle takes as a function only what can be called."""


HOSTILE: dict[str, Any] = {
    "os.system": _Calls(os.system, "exit 1"),
    "eval": _Calls(eval, "1"),
    "getattr": _Calls(getattr, "", "join"),
    "nested": {"steps": [("a", _Calls(os.system, "exit 1"))]},
    "in an array of objects": np.array([_Calls(os.system, "exit 1")], dtype=object),
    "a file of NumPy's": _Calls(np.memmap, "somewhere", "float64", "w+", 0, (1,)),
    "a module's import": _Calls(runstring, "", {}),
    "joblib's own loading": _Calls(joblib.load, "somewhere"),
    "a data set": _Calls(fetch_openml, "somewhere"),
    "partial": functools.partial(os.system, "exit 1"),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("dump", [pickle.dump, joblib.dump])
def test_what_no_pipeline_needs_is_not_called_without_a_pin(
    model: Path, name: str, dump: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    buffer = io.BytesIO()
    dump(HOSTILE[name], buffer)
    _written(model, buffer.getvalue())
    with pytest.raises(
        ArtifactError, match=r"not unpickled: it names .*pin it: --model"
    ):
        artifact.read(model)
    assert not (tmp_path / "somewhere").exists()


class _Getters:
    """Calls eval by what scikit-learn's modules import for themselves."""

    def __reduce__(self) -> Any:
        scope = _Calls(attrgetter("__init__.__globals__"), Pipeline)
        own = _Calls(itemgetter("__builtins__"), scope)
        return _Calls(itemgetter("eval"), own), ("open('somewhere', 'w')",)


BORROWED = {
    b"coperator\nattrgetter": b"csklearn.feature_selection._base\nattrgetter",
    b"coperator\nitemgetter": b"csklearn.utils.discovery\nitemgetter",
}


def test_what_a_module_imports_for_itself_calls_nothing(
    model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Getters reached eval, and a pickle without a pin ran whatever it wished."""
    content = pickle.dumps(_Getters(), protocol=0)
    for name, borrowed in BORROWED.items():
        content = content.replace(name, borrowed)
    monkeypatch.chdir(tmp_path)
    _written(model, content)
    with pytest.raises(ArtifactError, match=r"names sklearn.*etter, which no"):
        artifact.read(model)
    assert not (tmp_path / "somewhere").exists()


@pytest.mark.parametrize(
    "name",
    [
        "sklearn.datasets._covtype GzipFile",
        "sklearn.datasets._base Path",
        "sklearn.externals.array_api_compat.numpy memmap",
        "sklearn.callback._transport Listener",
        "sklearn.utils._available_if MethodType",
        "predictor.model IntentModel",
        "numpy.f2py.__main__ main",
    ],
)
def test_a_borrowed_name_is_not_made_and_no_program_imported(
    model: Path, name: str
) -> None:
    _written(model, "c{}\n{}\n.".format(*name.split()).encode())
    with pytest.raises(ArtifactError, match="which no text pipeline needs"):
        artifact.read(model)
    assert "numpy.f2py.__main__" not in sys.modules


def test_a_pin_vouches_for_what_the_pickle_names(model: Path) -> None:
    content = pickle.dumps(_Calls(len, "abc"))
    _written(model, content)
    with pytest.raises(ArtifactError, match="is not a fitted text classifier"):
        artifact.read(model, hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("name", [MODEL_FILE, METADATA_FILE])
def test_a_pipe_is_not_waited_for(model: Path, name: str) -> None:
    (model / name).unlink()
    os.mkfifo(model / name)
    with pytest.raises(ArtifactError, match="expected a regular file"):
        artifact.read(model)


@pytest.mark.parametrize("name", [MODEL_FILE, METADATA_FILE])
def test_links_in_a_circle_are_one_line(model: Path, name: str) -> None:
    (model / name).unlink()
    (model / name).symlink_to(name)
    with pytest.raises(ArtifactError, match="Too many levels of symbolic links"):
        artifact.read(model)


@pytest.mark.parametrize(
    "content",
    [
        b"c" + b"a" * 100_000 + b"\nb\n.",
        b"\x80\x04\x8c\x0aos\nsystem\n\x8c\x06system\x93.",
        b"\x80\x04\x8c\x0bsklearn.\n\n\n\x8c\x06system\x93.",
    ],
)
def test_what_a_pickle_names_is_told_in_one_line(model: Path, content: bytes) -> None:
    _written(model, content)
    with pytest.raises(ArtifactError, match=r"not unpickled|cannot be") as no:
        artifact.read(model)
    assert "\n" not in str(no.value)
    assert len(str(no.value)) < 600


@pytest.mark.parametrize("name", [MODEL_FILE, METADATA_FILE])
def test_a_file_without_end_is_not_read(model: Path, name: str) -> None:
    os.truncate(model / name, 10 * 1024**3)
    with pytest.raises(ArtifactError, match="regular file of at most"):
        artifact.read(model)


def test_a_link_out_of_the_folder_is_not_followed(model: Path, tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere.pkl"
    (model / MODEL_FILE).rename(outside)
    (model / MODEL_FILE).symlink_to(outside)
    with pytest.raises(ArtifactError, match="leads out of its folder"):
        artifact.read(model)


def test_links_within_the_folder_are_a_mounted_volumes(model: Path) -> None:
    (model / "..data").mkdir()
    for name in (MODEL_FILE, METADATA_FILE):
        (model / name).rename(model / "..data" / name)
        (model / name).symlink_to(Path("..data") / name)
    assert artifact.read(model).metadata.version == "v1"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("version", {}), ("version", "v1\r\nx-bad: evil"), ("version", "")),
        *(("packages", []), ("labels", 5), ("sha256", "ab"), ("metrics", None)),
        *(("probe", {"text": "", "label": "", "confidence": "x"}), ("more", 1)),
        ("modules", ["../evil.py"]),
    ],
)
def test_a_wrong_fact_is_named(model: Path, field: str, value: Any) -> None:
    _edit(model, **{field: value})
    with pytest.raises(ArtifactError, match=rf"not the metadata of a model: {field}"):
        artifact.read(model)


def test_deep_facts_are_one_line(model: Path) -> None:
    (model / METADATA_FILE).write_text("[" * 200_000)
    with pytest.raises(ArtifactError, match="not the metadata of a model: the file"):
        artifact.read(model)


def test_a_module_that_the_operator_names_is_trusted(model: Path) -> None:
    pipeline = Healthy(artifact.read(model).pipeline)
    _written(model, pickle.dumps(pipeline))
    with pytest.raises(ArtifactError, match="or trust that module: --trusted_modules"):
        artifact.read(model)
    loaded = artifact.read(model, trusted=["tests.faults.pipelines"])
    assert isinstance(loaded.pipeline, Healthy)
