"""Compiles classifiers: sums of weights, and what makes probabilities of them.

Between steps, classes have odds rather than probabilities: the division by their sum
comes last.
"""

import math
from collections.abc import Sequence
from operator import mul, truediv
from typing import Any

import numpy as np
from sklearn import linear_model, naive_bayes
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline
from sklearn.svm import LinearSVC

from predictor.adapted import Adapted
from predictor.compiled.steps import (
    Features,
    Score,
    Source,
    Texts,
    UnknownStep,
    floats,
)
from predictor.compiled.transforms import through
from predictor.outside import OUTSIDE, WithOutside

LOG_EPSILON = 1e-12  # scikit-learn adds it to a probability before its logarithm
# A temperature multiplies rounding errors, scikit-learn's too: far above 1, no two ways
# to add the same weights agree to 1e-12.
LARGEST_BETA = 10.0
# Classifiers whose decision is a weighted sum of the features.
LINEAR = (
    linear_model.LogisticRegression,
    linear_model.LogisticRegressionCV,
    linear_model.SGDClassifier,
    linear_model.RidgeClassifier,
    linear_model.RidgeClassifierCV,
    linear_model.Perceptron,
    LinearSVC,
)
LOGISTIC = LINEAR[:2]


def compile_pipeline(pipeline: Any) -> Score:
    """Return a function to the probabilities of `predict_proba`. Raises UnknownStep."""
    return _normalised(_odds(pipeline, Texts()))


def _normalised(odds: Score) -> Score:
    def score(text: str) -> list[float]:
        values = odds(text)
        total = sum(values)
        return [value / total for value in values]

    return score


def _odds(model: Any, source: Source) -> Score:
    """Compile a classifier behind `source`. Types are compared exactly."""
    kind = type(model)
    if kind is Pipeline:
        return _odds(*_last_of(model, source))
    inner = _inner(model)
    if inner is not None:
        return _odds(inner, source)
    if kind is WithOutside:
        return _spread(model, source)
    if kind is CalibratedClassifierCV:
        return _mean([_calibrated(model, each, source) for each in _each_of(model)])
    if kind is VotingClassifier:
        return _vote(model, source)
    if kind is naive_bayes.MultinomialNB:
        return _softmax(
            _sums(source, model.feature_log_prob_, floats(model.class_log_prior_))
        )
    if kind is naive_bayes.ComplementNB and len(model.classes_) > 1:
        return _softmax(_sums(source, model.feature_log_prob_, 0.0))
    if kind in LOGISTIC:
        return _logistic(model, source)
    if kind is linear_model.SGDClassifier and model.loss == "log_loss":
        return _one_against_rest(_margins(model, source))
    raise UnknownStep(kind.__name__)


def _inner(model: Any) -> Any | None:
    """Return the classifier that another one asks and does not change."""
    kind = type(model)
    if kind is FrozenEstimator:
        return model.estimator
    if kind is Adapted:
        return model.inner
    return model.best_estimator_ if kind in (GridSearchCV, RandomizedSearchCV) else None


def _last_of(pipeline: Pipeline, source: Source) -> tuple[Any, Source]:
    """Return the classifier at the end, and what the steps before give it."""
    *before, (_, last) = pipeline.steps
    for _, step in before:
        source = through(step, source)
    return last, source


def _sums(source: Source, weights: Any, bias: Any) -> Score:
    """Return a function to `bias` plus the weighted features, class by class.

    `weights` are (classes, width), `bias` is one number or (classes).
    """
    if not isinstance(source, Features):
        raise UnknownStep("a classifier of texts")
    table = floats(weights)
    rows = source.fold(np.ascontiguousarray(table.T))
    start = tuple(np.broadcast_to(bias, len(table)).tolist())

    def sums(text: str) -> list[float]:
        return list(map(sum, zip(start, *rows(text), strict=True)))

    return sums


def _margins(model: Any, source: Source) -> Score:
    """Compile `decision_function`: one number of two classes, else one of each."""
    kind = type(model)
    if kind is Pipeline:
        return _margins(*_last_of(model, source))
    inner = _inner(model)
    if inner is not None:
        return _margins(inner, source)
    if kind not in LINEAR:
        raise UnknownStep(kind.__name__)
    return _sums(source, model.coef_, floats(np.atleast_1d(model.intercept_)))


def _softmax(sums: Score) -> Score:
    exp = math.exp

    def odds(text: str) -> list[float]:
        values = sums(text)
        top = max(values)
        return [exp(value - top) for value in values]

    return odds


def _logistic(model: Any, source: Source) -> Score:
    """Compile logistic regression: one margin, or a softmax of several.

    Releases before 1.8 can also compare each class with the rest.
    """
    kind = getattr(model, "multi_class", "auto")
    is_binary = len(model.classes_) == 2
    if kind not in ("auto", "deprecated") or (
        model.solver == "liblinear" and not is_binary
    ):
        raise UnknownStep(f"{type(model).__name__}(multi_class={kind!r})")
    margins = _margins(model, source)
    return _one_against_rest(margins) if is_binary else _softmax(margins)


def _one_against_rest(margins: Score) -> Score:
    def odds(text: str) -> list[float]:
        return _of_both([_expit(value) for value in margins(text)])

    return odds


def _of_both(shares: list[float]) -> list[float]:
    """Return a share for each class, where one of two says both."""
    return [1 - shares[0], shares[0]] if len(shares) == 1 else shares


def _expit(value: float) -> float:
    """Return the logistic function, at any value without an overflow."""
    if value >= 0:
        return 1 / (1 + math.exp(-value))
    odds = math.exp(value)
    return odds / (1 + odds)


def _each_of(model: CalibratedClassifierCV) -> Sequence[Any]:
    found: Sequence[Any] = model.calibrated_classifiers_
    for each in found:
        if len(each.estimator.classes_) != len(model.classes_):
            raise UnknownStep("CalibratedClassifierCV with a fold that lacks a class")
    return found


def _calibrated(model: CalibratedClassifierCV, each: Any, source: Source) -> Score:
    if model.method == "temperature":
        return _temperature(each, source)
    if model.method == "sigmoid":
        return _sigmoid(each, source)
    raise UnknownStep(f"CalibratedClassifierCV(method={model.method!r})")


def _temperature(each: Any, source: Source) -> Score:
    """Compile a temperature: p becomes (p + epsilon) ** beta, a margin times beta."""
    (calibrator,) = each.calibrators
    beta = float(calibrator.beta_)
    if beta > LARGEST_BETA:
        raise UnknownStep(f"CalibratedClassifierCV with a temperature of 1/{beta:.0f}")
    if hasattr(each.estimator, "decision_function"):
        margins = _margins(each.estimator, source)
        return _softmax(lambda text: [beta * value for value in _sides(margins(text))])
    before = _odds(each.estimator, source)

    def odds(text: str) -> list[float]:
        values = before(text)
        least = LOG_EPSILON * sum(values)
        return [(value + least) ** beta for value in values]

    return odds


def _sides(margins: list[float]) -> list[float]:
    return [-margins[0], margins[0]] if len(margins) == 1 else margins


def _sigmoid(each: Any, source: Source) -> Score:
    """Compile Platt's sigmoid of each class's margin or probability."""
    lines = [(float(line.a_), float(line.b_)) for line in each.calibrators]
    if hasattr(each.estimator, "decision_function"):
        before = _margins(each.estimator, source)
    else:
        before = _normalised(_odds(each.estimator, source))

    def odds(text: str) -> list[float]:
        values = before(text)[-len(lines) :]  # of two classes, the second's
        pairs = zip(lines, values, strict=True)
        shares = _of_both([_expit(-(a * value + b)) for (a, b), value in pairs])
        return shares if any(shares) else [1.0] * len(shares)

    return odds


def _mean(parts: Sequence[Score], weights: Sequence[float] | None = None) -> Score:
    """Return odds of the weighted mean of probabilities."""
    if len(parts) == 1:
        return parts[0]
    given = [float(weight) for weight in weights or (1,) * len(parts)]

    def odds(text: str) -> list[float]:
        each = [part(text) for part in parts]
        shares = list(map(truediv, given, map(sum, each)))
        return [sum(map(mul, shares, of_class)) for of_class in zip(*each, strict=True)]

    return odds


def _spread(model: WithOutside, source: Source) -> Score:
    """Compile one class more, whose share is spread over the others."""
    odds = _odds(model.inner_, source)
    outside, others = list(model.inner_.classes_).index(OUTSIDE), len(model.classes_)

    def spread(text: str) -> list[float]:
        values = odds(text)
        more = values.pop(outside) / others
        return [value + more for value in values]

    return spread


def _vote(model: VotingClassifier, source: Source) -> Score:
    if model.voting != "soft":
        raise UnknownStep(f"VotingClassifier(voting={model.voting!r})")
    voters = [_odds(each, source) for each in model.estimators_]
    return _mean(voters, model._weights_not_none)
