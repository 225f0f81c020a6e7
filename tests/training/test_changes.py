"""training.changes and training.slices: messages as chat users write them."""

from collections.abc import Sequence

import numpy as np
import pytest

from tests.support.predictors import MODELS
from training import changes, dataset, slices
from training.dataset import Utterance
from training.evaluate import CARD
from training.scores import separation, unsure_below

ROWS = dataset.read(dataset.DATA)[::20]


def _texts(rows: Sequence[Utterance]) -> list[str]:
    return [row.text for row in rows]


def test_changes_are_the_same_each_time_and_keep_intents() -> None:
    first, second = changes.changed(ROWS), changes.changed(ROWS)
    assert first == second
    assert [row.intent for row in first["typos"]] == [row.intent for row in ROWS]
    assert _texts(first["typos"]) != _texts(ROWS)
    assert all(row.intent != "greeting" for row in first["thanks after"])


def test_greetings_of_the_fit_are_not_those_of_the_evaluation() -> None:
    assert not set(changes.FIT_OPENINGS) & set(changes.OPENINGS)
    added = changes.greeted(ROWS)
    assert 0 < len(added) < len(ROWS) / 5
    assert all(row.text.startswith(changes.FIT_OPENINGS) for row in added)


def test_each_row_is_in_one_slice_of_style_length_and_domain() -> None:
    found = slices.slices(ROWS)
    by_length = [rows for name, rows in found.items() if name.startswith("length")]
    assert sum(map(len, by_length)) == len(ROWS)
    styled = [rows for name, rows in found.items() if name.startswith("style")]
    assert sum(map(len, styled)) + len(found["as written, plain"]) == len(ROWS)


def test_unsure_is_what_a_twentieth_of_confidences_are_up_to() -> None:
    confidences = np.array([0.32, *[0.72] * 19])
    assert unsure_below(np.column_stack([confidences, 1 - confidences])) == 0.7
    assert unsure_below(np.array([[0.5, 0.5]])) == pytest.approx(0.45)


def test_separation_is_one_where_every_text_inside_has_more_confidence() -> None:
    inside, outside = np.array([[0.9, 0.1]]), np.array([[0.6, 0.4], [0.5, 0.5]])
    assert separation(inside, outside) == 1.0
    assert separation(outside, inside) == 0.0


def test_the_card_holds_what_the_models_score() -> None:
    card = CARD.read_text(encoding="utf-8")
    assert slices.as_markdown(MODELS) in card


def test_v2_knows_texts_that_are_none_of_its_intents() -> None:
    table = slices.as_markdown(MODELS).splitlines()[-1]
    assert table.startswith("| v2 |")
    assert float(table.split("|")[2]) >= 0.9
