"""Scores a model on labelled texts: pure functions of labels and probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, f1_score, log_loss, roc_auc_score

BINS = 10
RESAMPLES = 1000
SEED = 20
CONFIDENCE_STEPS = 20  # the predictor counts confidences in steps of 0.05
UNSURE_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of a model on one set of texts; rows of `confusion` are true labels."""

    texts: int
    macro_f1: Interval
    f1: dict[str, Interval]
    log_loss: float
    calibration_error: float
    confusion: list[list[int]]


def score(
    truth: Sequence[str], probabilities: np.ndarray, labels: Sequence[str]
) -> Scores:
    """Score class probabilities [texts, labels] against the true labels."""
    true = np.asarray(truth)
    predicted = np.asarray(labels)[probabilities.argmax(axis=1)]
    draws = np.random.default_rng(SEED).integers(len(true), size=(RESAMPLES, len(true)))
    resampled = np.array([_f1(true[draw], predicted[draw], labels) for draw in draws])
    exact = _f1(true, predicted, labels)
    return Scores(
        texts=len(true),
        macro_f1=_interval(float(exact.mean()), resampled.mean(axis=1)),
        f1={
            label: _interval(float(exact[column]), resampled[:, column])
            for column, label in enumerate(labels)
        },
        log_loss=float(log_loss(true, probabilities, labels=list(labels))),
        calibration_error=calibration_error(true == predicted, probabilities),
        confusion=confusion_matrix(true, predicted, labels=list(labels)).tolist(),
    )


def calibration_error(correct: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the expected calibration error over 10 equal bins (Guo et al. 2017)."""
    confidences = probabilities.max(axis=1)
    bins = np.minimum((confidences * BINS).astype(int), BINS - 1)
    return float(
        sum(
            abs(confidences[bins == each].mean() - correct[bins == each].mean())
            * np.mean(bins == each)
            for each in np.unique(bins)
        )
    )


def unsure_below(probabilities: np.ndarray) -> float:
    """Return the largest multiple of 0.05 that at most 5 % of confidences are up to.

    `probabilities` [texts, labels] are of texts that are all of a label's kind.
    """
    confidences = probabilities.max(axis=1)
    steps = np.arange(CONFIDENCE_STEPS) / CONFIDENCE_STEPS
    shares = np.array([np.mean(confidences <= step) for step in steps])
    return float(steps[shares <= UNSURE_SHARE][-1])


def separation(inside: np.ndarray, outside: np.ndarray) -> float:
    """Return how often a text inside has more confidence than one outside (AUROC)."""
    confidences = np.concatenate([inside.max(axis=1), outside.max(axis=1)])
    is_inside = np.arange(len(confidences)) < len(inside)
    return float(roc_auc_score(is_inside, confidences))


def mcnemar(first: np.ndarray, second: np.ndarray) -> tuple[int, int, float]:
    """Count the texts that only one model got right, and return the exact p-value."""
    only_first = int(np.sum(first & ~second))
    only_second = int(np.sum(~first & second))
    if only_first + only_second == 0:
        return 0, 0, 1.0
    test = binomtest(only_first, only_first + only_second, 0.5)
    return only_first, only_second, float(test.pvalue)


def _f1(true: np.ndarray, predicted: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    return np.asarray(
        f1_score(true, predicted, labels=list(labels), average=None, zero_division=0.0)
    )


def _interval(value: float, resampled: np.ndarray) -> Interval:
    low, high = np.quantile(resampled, (0.025, 0.975))
    return Interval(value, float(low), float(high))
