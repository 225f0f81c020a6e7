"""training.package: a stranger's pickle becomes an artifact, or a sentence says why."""

import json
import pickle
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata as packages
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from predictor import artifact
from predictor.compiled import probes
from predictor.errors import ArtifactError
from predictor.facts import METADATA_FILE, MODEL_FILE
from predictor.scorer import scorer
from scripts.local.processes import ROOT
from training import package
from training.checks import PackageError

TEXTS = [
    "guten tag",
    "hallo du",
    "wo ist das paket",
    "wann kommt es",
    "kaputt",
    "so schlecht",
] * 8
LABELS = ["gruss", "gruss", "frage", "frage", "klage", "klage"] * 8
SEVERAL = [[int(each == "frage"), int(each != "klage")] for each in LABELS]


@pytest.fixture(autouse=True)
def _few_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether thousands agree is the fuzz test's."""
    monkeypatch.setattr(package, "OWN_TEXTS", 200)


def _pickle(folder: Path, pipeline: Any, name: str = "mine.pkl") -> Path:
    path = folder / name
    joblib.dump(pipeline, path)
    return path


def _fitted(*steps: Any, labels: Sequence[Any] = LABELS) -> Pipeline:
    return make_pipeline(*steps).fit(TEXTS, labels)


def _script(folder: Path, code: str) -> None:
    """Run a script of a stranger, whose functions are __main__'s."""
    path = folder / "fit.py"
    path.write_text(code)
    done = subprocess.run([sys.executable, path], cwd=folder, capture_output=True)
    assert done.returncode == 0, done.stderr


SCRIPT = """
import joblib
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

def clean(text):
    return text.replace("ß", "ss").lower()

steps = CountVectorizer(preprocessor=clean), MultinomialNB()
pipeline = make_pipeline(*steps).fit(["guten tag", "wo ist es"], ["gruss", "frage"])
joblib.dump(pipeline, "mine.pkl")
"""


def test_a_pickle_is_packed_as_it_is(tmp_path: Path) -> None:
    file = _pickle(tmp_path, _fitted(TfidfVectorizer(), LogisticRegression()))
    packed = package.package(file, tmp_path / "mine")
    assert packed.scorer.answered_by == "compiled"
    assert packed.facts.labels == ("frage", "gruss", "klage")
    assert (tmp_path / "mine" / MODEL_FILE).read_bytes() == file.read_bytes()
    assert artifact.read(tmp_path / "mine").metadata == packed.facts


def test_a_plain_pickle_is_as_good_as_joblibs(tmp_path: Path) -> None:
    file = tmp_path / "mine.pickle"
    file.write_bytes(pickle.dumps(_fitted(CountVectorizer(), MultinomialNB())))
    assert package.package(file, tmp_path / "mine").scorer.is_compiled


def test_names_of_encoded_classes_are_the_labels(tmp_path: Path) -> None:
    codes = [["frage", "gruss", "klage"].index(each) for each in LABELS]
    pipeline = _fitted(CountVectorizer(), MultinomialNB(), labels=codes)
    names = ("frage", "gruss", "klage")
    packed = package.package(
        _pickle(tmp_path, pipeline), tmp_path / "mine", labels=names
    )
    assert packed.facts.labels == names
    assert packed.scorer.is_compiled
    loaded = artifact.read(tmp_path / "mine").pipeline
    assert (loaded.predict_proba(TEXTS) == pipeline.predict_proba(TEXTS)).all()


def test_a_pipeline_that_reads_a_column_gets_a_data_frame(tmp_path: Path) -> None:
    import pandas

    frame = pandas.DataFrame({"text": TEXTS})
    columns = ColumnTransformer([("words", TfidfVectorizer(), "text")])
    pipeline = make_pipeline(columns, LogisticRegression()).fit(frame, LABELS)
    file = _pickle(tmp_path, pipeline)
    with pytest.raises(PackageError, match="needs --column NAME"):
        package.package(file, tmp_path / "mine")
    packed = package.package(file, tmp_path / "mine", column="text")
    assert packed.scorer.is_compiled
    loaded = artifact.read(tmp_path / "mine").pipeline
    assert (loaded.predict_proba(TEXTS) == pipeline.predict_proba(frame)).all()
    with pytest.raises(PackageError, match="whose only column is body"):
        package.package(file, tmp_path / "other", column="body")


def test_a_column_by_its_place_and_with_weights_is_compiled(tmp_path: Path) -> None:
    import pandas

    parts = [("words", TfidfVectorizer(), 0), ("letters", CountVectorizer(), 0)]
    columns = ColumnTransformer(parts, transformer_weights={"letters": 0.25})
    pipeline = make_pipeline(columns, LogisticRegression())
    pipeline.fit(pandas.DataFrame({"text": TEXTS}), LABELS)
    file = _pickle(tmp_path, pipeline)
    assert package.package(file, tmp_path / "mine", column="text").scorer.is_compiled


def test_a_classifier_of_one_class_is_served(tmp_path: Path) -> None:
    pipeline = _fitted(CountVectorizer(), MultinomialNB(), labels=["only"] * 48)
    packed = package.package(_pickle(tmp_path, pipeline), tmp_path / "mine")
    assert packed.scorer.rows(["whatever"]) == [[1.0]]


@pytest.mark.parametrize(
    ("names", "said"),
    [(("a", "b"), "2 names for 3 classes"), (("a", "b", "a"), "one name for two")],
)
def test_names_that_do_not_fit_the_classes_are_refused(
    names: Sequence[str], said: str, tmp_path: Path
) -> None:
    file = _pickle(tmp_path, _fitted(CountVectorizer(), MultinomialNB()))
    with pytest.raises(PackageError, match=said):
        package.package(file, tmp_path / "mine", labels=names)


def test_a_grid_search_answers_by_its_best(tmp_path: Path) -> None:
    words = make_pipeline(CountVectorizer(), MultinomialNB())
    grid = GridSearchCV(words, {"multinomialnb__alpha": [0.1, 1.0]}, cv=2)
    packed = package.package(_pickle(tmp_path, grid.fit(TEXTS, LABELS)), tmp_path / "m")
    assert packed.scorer.is_compiled


def test_functions_of_a_script_come_with_their_file(tmp_path: Path) -> None:
    _script(tmp_path, SCRIPT)
    with pytest.raises(PackageError, match=r"'clean'.*--module FILE\.py"):
        package.package(tmp_path / "mine.pkl", tmp_path / "mine")
    own = tmp_path / "cleaning_of_mine.py"
    own.write_text('def clean(text):\n    return text.replace("ß", "ss").lower()\n')
    command = [sys.executable, "-m", "training.package", str(tmp_path / "mine.pkl")]
    options = ["--version", "mine", "--module", str(own), "--models", str(tmp_path)]
    done = subprocess.run(
        [*command, *options], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "compiled" in done.stdout
    facts = json.loads((tmp_path / "mine" / METADATA_FILE).read_text())
    assert facts["modules"] == ["cleaning_of_mine.py"]
    with pytest.raises(ArtifactError, match="brings code, cleaning_of_mine"):
        artifact.read(tmp_path / "mine")
    assert f"--model_sha256={facts['sha256']}" in done.stdout
    loaded = artifact.read(tmp_path / "mine", facts["sha256"]).pipeline
    assert scorer(loaded, probes(loaded)).is_compiled


def test_a_changed_module_is_not_imported(tmp_path: Path) -> None:
    own = tmp_path / "cleaning_to_change.py"
    own.write_text("def clean(text):\n    return text\n")
    module = artifact.import_file(own)
    vectorizer = CountVectorizer(preprocessor=module.clean)
    file = _pickle(tmp_path, _fitted(vectorizer, MultinomialNB()))
    package.package(file, tmp_path / "mine", modules=[own])
    (tmp_path / "mine" / own.name).write_text("raise SystemExit('run')\n")
    digest = json.loads((tmp_path / "mine" / "metadata.json").read_text())["sha256"]
    with pytest.raises(ArtifactError, match="its sha256 is"):
        artifact.read(tmp_path / "mine", digest)


class Numbers:
    """No classifier."""

    def predict(self, texts: Sequence[str]) -> list[int]:
        return [0 for _ in texts]


class NoNumbers(MultinomialNB):  # type: ignore[misc]
    """Knows no probability where it knows no word."""

    def predict_proba(self, counts: Any) -> Any:
        found = super().predict_proba(counts)
        found[np.asarray(counts.sum(axis=1)).ravel() == 0] = np.nan
        return found


REFUSED: dict[str, tuple[Any, str]] = {
    "no probabilities": (
        lambda: _fitted(TfidfVectorizer(), LinearSVC()),
        "gives no probabilities; wrap its classifier in CalibratedClassifierCV",
    ),
    "a regressor": (
        lambda: _fitted(
            CountVectorizer(), LinearRegression(), labels=range(len(TEXTS))
        ),
        "has no classes; expected a fitted classifier",
    ),
    "a lambda": (
        lambda: _fitted(CountVectorizer(), MultinomialNB()).set_params(
            countvectorizer__preprocessor=lambda text: text
        ),
        "a lambda or an inner function needs a name in a file",
    ),
    "no pipeline": (lambda: {"a": 1}, "holds a dict; expected a fitted pipeline"),
    "several labels a text": (
        lambda: _fitted(
            TfidfVectorizer(),
            OneVsRestClassifier(LogisticRegression()),
            labels=SEVERAL,
        ),
        "gives each text several labels, expected one",
    ),
    "several outputs": (
        lambda: _fitted(TfidfVectorizer(), DecisionTreeClassifier(), labels=SEVERAL),
        "gives each text several labels, expected one",
    ),
    "a threshold": (
        lambda: FixedThresholdClassifier(
            make_pipeline(CountVectorizer(), MultinomialNB()), threshold=0.9
        ).fit(TEXTS, [label == "frage" for label in LABELS]),
        "predict gives .* another label than its predict_proba.*estimator_",
    ),
    "chance": (
        lambda: _fitted(TfidfVectorizer(), DummyClassifier(strategy="stratified")),
        "depends on the texts beside it, or on chance",
    ),
    "no numbers": (
        lambda: _fitted(CountVectorizer(), NoNumbers()),
        "probabilities of '' are no numbers",
    ),
    "texts in a matrix": (
        lambda: make_pipeline(
            ColumnTransformer([("words", TfidfVectorizer(), 0)]), MultinomialNB()
        ).fit([[text] for text in TEXTS], LABELS),
        r"^it cannot classify .*Expected 2D array.*needs --column NAME$",
    ),
    "another package": (
        lambda: _fitted(
            FunctionTransformer(package_that_is_not_there),
            CountVectorizer(),
            MultinomialNB(),
        ),
        "which the predictor's image does not have",
    ),
}


def package_that_is_not_there(texts: Sequence[str]) -> Sequence[str]:
    return texts


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_served_is_refused_in_a_sentence(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, said = REFUSED[name]
    pipeline = make()
    # joblib refuses a lambda too: such a file comes from cloudpickle.
    monkeypatch.setattr(joblib, "load", lambda _: pipeline)
    file = tmp_path / "mine.pkl"
    file.write_bytes(b"whatever")
    with pytest.raises(PackageError, match=said):
        package.package(file, tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_a_pickle_of_another_scikit_learn_says_how_to_get_it(tmp_path: Path) -> None:
    pipeline = _fitted(CountVectorizer(), MultinomialNB())
    file = tmp_path / "mine.pkl"
    pickled = pickle.dumps(pipeline, protocol=0)
    version = packages.version("scikit-learn").encode()
    file.write_bytes(pickled.replace(version, b"1.7.2"))
    with pytest.raises(PackageError, match=r"make lock install SCIKIT_LEARN=1\.7\.2"):
        package.package(file, tmp_path / "mine")


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "No such file"), (b"not a pickle", "cannot be unpickled")],
    ids=["missing", "text"],
)
def test_no_pickle_is_an_error_with_two(
    tmp_path: Path,
    content: bytes | None,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "mine.pkl"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setattr(sys, "argv", ["package", str(file), "--version", "mine"])
    assert package.main() == 2
    shown = capsys.readouterr().err
    assert shown.startswith("error: ")
    assert said in shown
    assert len(shown.splitlines()) == 1


def test_calibrated_support_vectors_are_compiled(tmp_path: Path) -> None:
    pipeline = _fitted(TfidfVectorizer(), CalibratedClassifierCV(LinearSVC(), cv=3))
    packed = package.package(_pickle(tmp_path, pipeline), tmp_path / "mine")
    assert packed.scorer.is_compiled
