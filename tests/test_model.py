"""predictor.model: who answers, the compiled scorer or the pipeline."""

import logging
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import ComplementNB
from sklearn.pipeline import make_pipeline

from predictor import artifact, scorer
from predictor.model import IntentModel
from tests.support.predictors import MODELS


def _loaded(folder: Path) -> IntentModel:
    model = IntentModel("intent", folder, revision="r", registry=CollectorRegistry())
    model.load()
    return model


def test_both_versions_are_compiled(caplog: pytest.LogCaptureFixture) -> None:
    assert _loaded(MODELS / "v1").is_compiled
    assert _loaded(MODELS / "v2").is_compiled
    assert not caplog.records


def test_a_step_that_is_not_known_is_logged_with_its_cost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline = make_pipeline(CountVectorizer(), ComplementNB())
    pipeline.fit(["hello you", "why is it"], ["greeting", "question"])
    facts = {"data_sha256": "", "git_commit": "", "metrics": {}}
    artifact.write(tmp_path / "v9", pipeline, probe_text="hello", **facts)  # type: ignore[arg-type]
    model = _loaded(tmp_path / "v9")
    assert not model.is_compiled
    found = model.classify_now(["hello you"], "", is_of_users=True)
    assert found.rows == pipeline.predict_proba(["hello you"]).tolist()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    fields = record.__dict__["fields"]
    assert fields["reason"] == "ComplementNB is not compiled"
    assert fields["ms_a_text"] > 0


def test_a_scorer_that_differs_is_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    uniform = [0.25] * 4
    monkeypatch.setattr(scorer, "compile_pipeline", lambda _: lambda _: uniform)
    model = _loaded(MODELS / "v1")
    assert not model.is_compiled
    assert model.classify_now(["hello"], "", is_of_users=True).labels == ["greeting"]
    assert "labels differ" in caplog.records[0].__dict__["fields"]["reason"]
