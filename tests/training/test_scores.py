"""training.scores: figures of a model."""

import numpy as np
import pytest

from training.scores import calibration_error, mcnemar, score

LABELS = ("a", "b")


def _certain(predicted: list[str]) -> np.ndarray:
    return np.array([[0.9, 0.1] if label == "a" else [0.1, 0.9] for label in predicted])


def test_a_perfect_model() -> None:
    scores = score(["a", "b"] * 20, _certain(["a", "b"] * 20), LABELS)
    assert scores.macro_f1.value == scores.macro_f1.low == scores.macro_f1.high == 1
    assert scores.confusion == [[20, 0], [0, 20]]
    assert scores.log_loss == pytest.approx(-np.log(0.9))


def test_intervals_hold_the_value_and_are_the_same_every_time() -> None:
    truth, guess = ["a", "b"] * 50, ["a", "b", "b", "b"] * 25
    scores = score(truth, _certain(guess), LABELS)
    assert scores.macro_f1.low < scores.macro_f1.value < scores.macro_f1.high
    assert scores == score(truth, _certain(guess), LABELS)


def test_calibration_error_is_the_gap_between_confidence_and_truth() -> None:
    correct = np.array([True, True, True, False])
    probabilities = np.array([[0.9, 0.1]] * 4)
    assert calibration_error(correct, probabilities) == pytest.approx(0.15)


def test_mcnemar_counts_what_only_one_has_right() -> None:
    first = np.array([True] * 10 + [False] * 2)
    second = np.array([False] * 10 + [True] * 2)
    only_first, only_second, p_value = mcnemar(first, second)
    assert (only_first, only_second) == (10, 2)
    assert p_value == pytest.approx(2 * (1 + 12 + 66) / 2**12)


def test_mcnemar_of_equals_is_no_evidence() -> None:
    same = np.array([True, False])
    assert mcnemar(same, same) == (0, 0, 1.0)
