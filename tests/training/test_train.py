"""training.train, evaluate and select, from the command line."""

import json
from pathlib import Path

import numpy as np
import pytest

from predictor.facts import METADATA_FILE, MODEL_FILE
from tests.support.commands import run
from tests.support.predictors import MODELS
from training import dataset, evaluate, select
from training.pipelines import vader_valences

LONG_S = 300


@pytest.mark.timeout(LONG_S)
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_training_twice_gives_the_same_bytes_on_another_processor(
    version: str, tmp_path: Path
) -> None:
    code, printed = run(
        *("training.train", "--version", version, "--models", str(tmp_path)),
        env={"PYTHONHASHSEED": "7", "OPENBLAS_CORETYPE": "Prescott"},
        timeout_s=LONG_S,
    )
    assert code == 0, printed
    facts = json.loads((tmp_path / version / METADATA_FILE).read_text())
    assert f"sha256 {facts['sha256']}" in printed
    again = (tmp_path / version / MODEL_FILE).read_bytes()
    assert again == (MODELS / version / MODEL_FILE).read_bytes()


def test_metadata_hold_what_a_reviewer_asks_for() -> None:
    facts = json.loads((MODELS / "v2" / METADATA_FILE).read_text())
    assert set(facts["packages"]) == {"python", "scikit-learn", "numpy", "joblib"}
    assert facts["metrics"]["held_out"]["macro_f1"]["value"] > 0.8
    assert all(facts[key] for key in ("sha256", "data_sha256", "git_commit"))


def test_training_on_a_bad_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("text,intent\nhi,salute\n")
    code, printed = run("training.train", "--version", "v1", "--data", str(path))
    assert (code, len(printed.splitlines())) == (2, 1)
    assert "intent is 'salute'" in printed


def test_both_models_meet_their_bars_on_held_out_texts() -> None:
    _, held_out = dataset.split(dataset.read(dataset.DATA))
    content = evaluate.as_json(evaluate.evaluate(MODELS, held_out))
    v1, v2 = content["v1"]["macro_f1"], content["v2"]["macro_f1"]
    assert v1 >= 0.65
    assert v2 >= 0.80
    assert v2 - v1 >= 0.05
    assert content["v2"]["mcnemar"]["p_value"] < 0.001
    assert content["v2"]["calibration_error"] < 0.05


def test_any_file_of_texts_can_be_scored(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("text,intent\ngood morning,greeting\nwhere is it?,question\n")
    code, printed = run("training.evaluate", "--data", str(path), "-o", "json")
    assert code == 0, printed
    scores = json.loads(printed)
    assert set(scores) == {"v1", "v2"}
    assert scores["v2"]["texts"] == 2


def test_evaluating_without_a_model_says_how_to_get_one(tmp_path: Path) -> None:
    code, printed = run("training.evaluate", "--models", str(tmp_path))
    assert code == 3
    assert "as `python -m training.train` writes it" in printed


def test_the_card_and_its_pictures_are_written(tmp_path: Path) -> None:
    card = tmp_path / "MODEL_CARD.md"
    card.write_text(f"before\n{evaluate.BEGIN}\nold\n{evaluate.END}\nafter\n")
    rows = dataset.read(dataset.DATA)[::40]
    evaluate.write_card(card, evaluate.evaluate(MODELS, rows))
    text = card.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "| macro-F1 | " in text
    assert "old" not in text
    assert (tmp_path / "confusion-v2.png").read_bytes().startswith(b"\x89PNG")


def test_the_shipped_card_shows_the_models_that_train_gives() -> None:
    _, held_out = dataset.split(dataset.read(dataset.DATA))
    results = evaluate.evaluate(MODELS, held_out)
    card = evaluate.CARD.read_text()
    for result in results:
        assert f"{result.scores.macro_f1.value:.2f}" in card
    assert "McNemar" in card


def test_the_lexicon_is_single_words_with_both_signs() -> None:
    valences = vader_valences()
    assert valences["good"] > 0 > valences["bad"]
    assert len(valences) > 5000


def test_nested_selection_scores_unseen_domains() -> None:
    rows = dataset.read(dataset.DATA)[::12]
    folds = select.nested_f1(select.candidates()[0], rows)
    assert folds.shape == (select.OUTER,)
    assert np.all((folds > 0.2) & (folds < 1))
