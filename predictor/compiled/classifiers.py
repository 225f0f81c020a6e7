"""Compiles classifiers: sums of weights, and what makes probabilities of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
from predictor.compiled.odds import (
    Column,
    Numbers,
    Odds,
    mean,
    normalized,
    of_both,
    one_against_rest,
    or_even,
    sides,
    softmax,
    sums,
)
from predictor.compiled.steps import (
    Array,
    Features,
    Source,
    Texts,
    UnknownStep,
    floats,
)
from predictor.compiled.transforms import through
from predictor.compiled.vocabulary import words
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


@dataclass(frozen=True, slots=True)
class Compiled:
    """The probabilities of `predict_proba`, of one text or of many at once."""

    one: Callable[[str], list[float]]
    many: Callable[[Sequence[str]], Array]


def compile_pipeline(pipeline: Any) -> Compiled:
    """Compile a fitted pipeline. Raises UnknownStep."""
    odds = _odds(pipeline, Texts(words=words(pipeline))).then(normalized)
    reads = list(dict.fromkeys(odds.reads))

    def many(texts: Sequence[str]) -> Array:
        found = zip(*[[read(text) for read in reads] for text in texts], strict=True)
        with np.errstate(divide="raise", over="raise", invalid="raise"):
            columns = odds.many(dict(zip(reads, found, strict=True)))
        return np.stack(columns, axis=1)

    return Compiled(odds.one, many)


def _odds(model: Any, source: Source) -> Odds:
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
        return mean([_calibrated(model, each, source) for each in _each_of(model)])
    if kind is VotingClassifier:
        return _vote(model, source)
    if kind is naive_bayes.MultinomialNB:
        bias = floats(model.class_log_prior_)
        return _sums(source, model.feature_log_prob_, bias).then(softmax)
    if kind is naive_bayes.ComplementNB and len(model.classes_) > 1:
        return _sums(source, model.feature_log_prob_, 0.0).then(softmax)
    if kind in LOGISTIC:
        return _logistic(model, source)
    if kind is linear_model.SGDClassifier and model.loss == "log_loss":
        return _margins(model, source).then(one_against_rest)
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


def _sums(source: Source, weights: Any, bias: Any) -> Odds:
    if not isinstance(source, Features):
        raise UnknownStep("a classifier of texts")
    return sums(source, weights, bias)


def _margins(model: Any, source: Source) -> Odds:
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


def _logistic(model: Any, source: Source) -> Odds:
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
    return margins.then(one_against_rest if is_binary else softmax)


def _each_of(model: CalibratedClassifierCV) -> Sequence[Any]:
    found: Sequence[Any] = model.calibrated_classifiers_
    for each in found:
        if len(each.estimator.classes_) != len(model.classes_):
            raise UnknownStep("CalibratedClassifierCV with a fold that lacks a class")
    return found


def _calibrated(model: CalibratedClassifierCV, each: Any, source: Source) -> Odds:
    if model.method == "temperature":
        return _temperature(each, source)
    if model.method == "sigmoid":
        return _sigmoid(each, source)
    raise UnknownStep(f"CalibratedClassifierCV(method={model.method!r})")


def _temperature(each: Any, source: Source) -> Odds:
    """Compile a temperature: p becomes (p + epsilon) ** beta, a margin times beta."""
    (calibrator,) = each.calibrators
    beta = float(calibrator.beta_)
    if beta > LARGEST_BETA:
        raise UnknownStep(f"CalibratedClassifierCV with a temperature of 1/{beta:.0f}")
    if hasattr(each.estimator, "decision_function"):

        def scaled(values: list[Column], numbers: Numbers) -> list[Column]:
            return softmax([beta * value for value in sides(values)], numbers)

        return _margins(each.estimator, source).then(scaled)

    def raised(values: list[Column], numbers: Numbers) -> list[Column]:
        del numbers
        least = LOG_EPSILON * sum(values)
        return [(value + least) ** beta for value in values]

    return _odds(each.estimator, source).then(raised)


def _sigmoid(each: Any, source: Source) -> Odds:
    """Compile Platt's sigmoid of each class's margin or probability."""
    lines = [(float(line.a_), float(line.b_)) for line in each.calibrators]
    if hasattr(each.estimator, "decision_function"):
        before = _margins(each.estimator, source)
    else:
        before = _odds(each.estimator, source).then(normalized)

    def shares(values: list[Column], numbers: Numbers) -> list[Column]:
        pairs = zip(lines, values[-len(lines) :], strict=True)  # of two, the second's
        found = [numbers.expit(-(a * value + b)) for (a, b), value in pairs]
        return or_even(of_both(found), numbers)

    return before.then(shares)


def _spread(model: WithOutside, source: Source) -> Odds:
    """Compile one class more, whose share is spread over the others."""
    outside, others = list(model.inner_.classes_).index(OUTSIDE), len(model.classes_)

    def spread(values: list[Column], numbers: Numbers) -> list[Column]:
        del numbers
        more = values.pop(outside) / others
        return [value + more for value in values]

    return _odds(model.inner_, source).then(spread)


def _vote(model: VotingClassifier, source: Source) -> Odds:
    if model.voting != "soft":
        raise UnknownStep(f"VotingClassifier(voting={model.voting!r})")
    voters = [_odds(each, source) for each in model.estimators_]
    return mean(voters, model._weights_not_none)
