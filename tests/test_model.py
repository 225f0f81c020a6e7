"""predictor.model: who answers, the compiled scorer or the pipeline."""

import logging
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from predictor import artifact, compiled
from predictor.model import IntentModel
from predictor.scorer import Scorer, scorer
from tests.faults.pipelines import PROBE, Failing
from tests.support.predictors import MODELS


def _loaded(folder: Path) -> IntentModel:
    model = IntentModel("intent", folder, revision="r", registry=CollectorRegistry())
    model.load()
    return model


def _told(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Return what the predictor logged: another test's server may still answer."""
    return [each for each in caplog.records if each.name == "predictor"]


def test_both_versions_are_compiled(caplog: pytest.LogCaptureFixture) -> None:
    assert _loaded(MODELS / "v1").scorer.is_compiled
    assert _loaded(MODELS / "v2").scorer.is_compiled
    assert _told(caplog) == []


def test_a_step_that_is_not_known_is_logged_with_its_cost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline = make_pipeline(CountVectorizer(), DecisionTreeClassifier())
    pipeline.fit(["hello you", "why is it"], ["greeting", "question"])
    facts = {"data_sha256": "", "git_commit": "", "metrics": {}}
    artifact.write(tmp_path / "v9", pipeline, probe_text="hello", **facts)  # type: ignore[arg-type]
    model = _loaded(tmp_path / "v9")
    assert not model.scorer.is_compiled
    found = model.classify_now(["hello you"], is_of_users=True)
    assert found.rows == pipeline.predict_proba(["hello you"]).tolist()
    (record,) = _told(caplog)
    assert record.levelno == logging.WARNING
    fields = record.__dict__["fields"]
    assert fields["reason"] == "DecisionTreeClassifier is not compiled"
    assert fields["ms_a_text"] > 0


def test_a_scorer_that_differs_is_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    row = [0.25] * 4
    uniform = compiled.Compiled(
        lambda _: row, lambda texts: np.array([row for _ in texts])
    )
    monkeypatch.setattr(compiled, "compile_pipeline", lambda _: uniform)
    model = _loaded(MODELS / "v1")
    assert not model.scorer.is_compiled
    assert model.classify_now(["hello"], is_of_users=True).labels == ["greeting"]
    assert "labels differ" in _told(caplog)[0].__dict__["fields"]["reason"]


def test_work_is_short_by_what_it_costs_not_by_its_letters_alone() -> None:
    cheap = Scorer(lambda _: [], "", text_s=1e-5, letter_s=1e-8)
    assert cheap.is_short(["h"] * 100)
    assert not cheap.is_short(["h"] * 1000)
    assert not cheap.is_short(["h" * 300_000])
    shared = Scorer(lambda _: [], "", 1e-5, letter_s=1e-8, share_of_many=0.1)
    assert shared.is_short(["h"] * 1000)
    costly = Scorer(lambda _: [], "a step is not compiled", text_s=0.08, letter_s=0.0)
    assert not costly.is_short(["h"])


def test_where_two_labels_are_as_likely_the_pickle_chooses() -> None:
    """Rounding alone would choose; it differs from scikit-learn's."""
    pipeline = make_pipeline(CountVectorizer(), MultinomialNB())
    pipeline.fit(["aa bb", "bb cc", "cc aa"] * 5, ["x", "y", "z"] * 5)
    texts = ["aa bb cc aa", "aa", "bb cc aa bb aa cc", ""]
    found = scorer(pipeline, ["aa"]).rows(texts)
    assert found == pipeline.predict_proba(texts).tolist()


def test_a_pipeline_that_raises_while_it_is_compiled_answers_itself() -> None:
    pipeline = make_pipeline(CountVectorizer(), MultinomialNB())
    pipeline.fit(["hello you", "why is it"], ["greeting", "question"])
    pipeline.steps[0][1].vocabulary_ = [("hello", 0)]  # what no release has
    pipeline.predict_proba = lambda texts: np.full((len(texts), 2), 0.5)
    found = scorer(pipeline, ["hello"])
    assert found.reason.startswith("cannot be compiled: AttributeError: ")
    assert found.rows(["hello"]) == [[0.5, 0.5]]


def test_a_pipeline_that_raises_on_other_texts_still_starts() -> None:
    pipeline = Failing(SimpleNamespace(classes_=[]), every=1)
    pipeline.classes_ = ["a", "b"]
    setattr(pipeline, "answer", lambda texts: np.full((len(texts), 2), 0.5))  # noqa: B010
    found = scorer(pipeline, ["whatever", PROBE])
    assert found.reason == "Failing is not compiled"
    assert found.letter_s > 0
