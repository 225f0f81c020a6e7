"""Compiles a fitted pipeline to a function of one text, without scikit-learn's cost.

A linear model adds the weights of a text's terms, class by class. So every vectorizer
becomes a table of rows with one number per class, multiplied by the weights of the
model behind it. scikit-learn's own analyzers cut a text into terms, the terms' rows
are added, and the later steps (softmax, vote, temperature) apply to that one sum.
Between steps, classes have odds rather than probabilities, 1 for the likeliest: the
division by the sum comes last. A step that is not known here raises UnknownStep, and
the caller falls back to scikit-learn.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import chain
from operator import mul
from typing import Any, NamedTuple

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import FeatureUnion, Pipeline

from predictor.features import LexiconScores, Shape, shape

TOLERANCE = 1e-12
LOG_EPSILON = 1e-12  # scikit-learn adds it to a probability before its logarithm
CACHED_WORDS, CACHED_LENGTH = 4096, 32
ANALYSIS = (
    *("analyzer", "lowercase", "strip_accents", "preprocessor", "tokenizer"),
    *("token_pattern", "ngram_range", "stop_words"),
)
LOWER_WORDS = bytes(
    ord(chr(code).lower()) if code < 128 and (chr(code).isalnum() or code == 95) else 32
    for code in range(256)
)

Row = Sequence[float]
Score = Callable[[str], list[float]]


class UnknownStep(Exception):
    """The pipeline has a step, or a step has an option, that is not compiled."""


class Features(NamedTuple):
    """A fitted transformer of texts.

    `fold` takes the model's weights [width, classes] and returns a function of a text:
    rows of `classes` numbers, whose sum these features add to each class.
    """

    width: int
    fold: Callable[[np.ndarray], Callable[[str], Iterable[Row]]]


def compile_pipeline(pipeline: Any) -> Score:
    """Return a function to the probabilities of `predict_proba`. Raises UnknownStep."""
    return _normalised(_odds(pipeline, None))


def difference(score: Score, pipeline: Any, texts: Sequence[str]) -> str:
    """Describe differing labels, or probabilities by more than TOLERANCE; else ""."""
    expected = np.asarray(pipeline.predict_proba(texts))
    found = np.array([score(text) for text in texts])
    moved = int((found.argmax(axis=1) != expected.argmax(axis=1)).sum())
    largest = float(np.abs(found - expected).max())
    if moved == 0 and largest <= TOLERANCE:
        return ""
    return f"compiled, {moved} labels differ and probabilities by {largest:.1e}"


def _normalised(odds: Score) -> Score:
    def score(text: str) -> list[float]:
        values = odds(text)
        total = sum(values)
        return [value / total for value in values]

    return score


def _odds(model: Any, features: Features | None) -> Score:
    """Compile a classifier behind `features`, or of the text itself if they are None.

    Types are compared exactly: a subclass may answer differently.
    """
    kind = type(model)
    if kind is Pipeline:
        return _pipeline(model, features)
    if kind is CalibratedClassifierCV:
        return _calibrated(model, features)
    if kind is VotingClassifier:
        return _vote(model, features)
    if features is not None:
        if kind is MultinomialNB:
            return _linear(features, model.feature_log_prob_, model.class_log_prior_)
        if kind is LogisticRegression and len(model.classes_) > 2:
            return _linear(features, model.coef_, model.intercept_)
    raise UnknownStep(kind.__name__)


def _pipeline(pipeline: Pipeline, features: Features | None) -> Score:
    *before, (_, last) = pipeline.steps
    if len(before) + (features is not None) > 1:
        raise UnknownStep(type(before[-1][1]).__name__)
    return _odds(last, _features(before[0][1]) if before else features)


def _linear(features: Features, weights: np.ndarray, bias: np.ndarray) -> Score:
    """Compile a softmax of `weights` [classes, width] and `bias` [classes]."""
    rows = features.fold(np.ascontiguousarray(weights.T, dtype=np.float64))
    start = tuple(bias.tolist())
    exp = math.exp

    def odds(text: str) -> list[float]:
        sums = list(map(sum, zip(start, *rows(text), strict=True)))
        top = max(sums)
        return [exp(value - top) for value in sums]

    return odds


def _calibrated(model: CalibratedClassifierCV, features: Features | None) -> Score:
    """Compile a temperature over probabilities: p becomes (p + epsilon) ** beta."""
    calibrated = model.calibrated_classifiers_
    if model.method != "temperature" or len(calibrated) != 1:
        raise UnknownStep(f"CalibratedClassifierCV(method={model.method!r})")
    inner, (calibrator,) = calibrated[0].estimator, calibrated[0].calibrators
    if hasattr(inner, "decision_function"):
        raise UnknownStep(f"CalibratedClassifierCV of {type(inner).__name__}")
    before, beta = _odds(inner, features), float(calibrator.beta_)

    def odds(text: str) -> list[float]:
        values = before(text)
        least = LOG_EPSILON * sum(values)
        return [(value + least) ** beta for value in values]

    return odds


def _vote(model: VotingClassifier, features: Features | None) -> Score:
    if model.voting != "soft":
        raise UnknownStep(f"VotingClassifier(voting={model.voting!r})")
    voters = [_normalised(_odds(each, features)) for each in model.estimators_]
    weights = [float(weight) for weight in model.weights or (1,) * len(voters)]

    def odds(text: str) -> list[float]:
        votes = [voter(text) for voter in voters]
        sums = [sum(map(mul, weights, shares)) for shares in zip(*votes, strict=True)]
        top = max(sums)
        return [value / top for value in sums]

    return odds


def _features(step: Any) -> Features:
    kind = type(step)
    if kind is CountVectorizer:
        return _counts(step)
    if kind is TfidfVectorizer:
        return _tfidf(step)
    if kind is FeatureUnion and step.transformer_weights is None:
        return _union([_features(each) for _, each in step.transformer_list])
    if kind is LexiconScores:
        return _dense(step.scores)
    if kind is Shape:
        return _dense(shape)
    raise UnknownStep(kind.__name__)


def _union(parts: Sequence[Features]) -> Features:
    ends = np.cumsum([part.width for part in parts])

    def fold(weights: np.ndarray) -> Callable[[str], Iterable[Row]]:
        shares = np.split(weights, ends[:-1])
        folded = [part.fold(own) for part, own in zip(parts, shares, strict=True)]
        return lambda text: chain.from_iterable([rows(text) for rows in folded])

    return Features(int(ends[-1]), fold)


def _dense(measure: Callable[[str], Sequence[float]]) -> Features:
    def fold(weights: np.ndarray) -> Callable[[str], Iterable[Row]]:
        return lambda text: [(np.array(measure(text)) @ weights).tolist()]

    return Features(len(measure("")), fold)


def _counts(vectorizer: CountVectorizer) -> Features:
    """Compile term counts: a term's row, once per occurrence (once, if binary)."""
    terms, is_binary = _analyzer(vectorizer), vectorizer.binary

    def fold(weights: np.ndarray) -> Callable[[str], Iterable[Row]]:
        rows = [tuple(row) for row in weights.tolist()]
        table: dict[str, Row] = {
            term: rows[at] for term, at in vectorizer.vocabulary_.items()
        }
        if is_binary:
            return lambda text: filter(None, map(table.get, set(terms(text))))
        return lambda text: filter(None, map(table.get, terms(text)))

    return Features(len(vectorizer.vocabulary_), fold)


def _tfidf(vectorizer: TfidfVectorizer) -> Features:
    """Compile weighted counts of unit length: one row, summed by NumPy."""
    if vectorizer.norm != "l2" or vectorizer.binary or not vectorizer.use_idf:
        raise UnknownStep("TfidfVectorizer with other than the default options")
    columns, idf = _columns(vectorizer), vectorizer.idf_

    def fold(weights: np.ndarray) -> Callable[[str], Iterable[Row]]:
        def rows(text: str) -> Iterable[Row]:
            counts = Counter(columns(text))
            if not counts:
                return []
            at = np.fromiter(counts, np.intp, len(counts))
            often = np.fromiter(counts.values(), np.float64, len(counts))
            if vectorizer.sublinear_tf:
                often = np.log(often) + 1
            values = often * idf.take(at)
            length = math.sqrt(values @ values)
            return [(values @ weights.take(at, axis=0) / length).tolist()]

        return rows

    return Features(len(vectorizer.vocabulary_), fold)


def _analyzer(vectorizer: CountVectorizer) -> Callable[[str], Iterable[str]]:
    """Return a function to a text's terms, without scikit-learn's calls if possible.

    The terms may include words of one character, which scikit-learn's default pattern
    drops.
    """
    given, usual = vectorizer.get_params(), CountVectorizer().get_params()
    has_short = any(len(term) < 2 for term in vectorizer.vocabulary_)
    if not has_short and all(given[name] == usual[name] for name in ANALYSIS):
        return _words(vectorizer.build_tokenizer())
    own = vectorizer.analyzer
    terms: Callable[[str], Iterable[str]] = (
        own if callable(own) else vectorizer.build_analyzer()
    )
    return terms


def _words(find: Callable[[str], list[str]]) -> Callable[[str], Iterable[str]]:
    """Return a function to lower-cased words; ASCII takes a quarter of the time."""

    def words(text: str) -> Iterable[str]:
        if text.isascii():
            return text.encode().translate(LOWER_WORDS).decode().split()
        return find(text.lower())

    return words


def _columns(vectorizer: TfidfVectorizer) -> Callable[[str], Iterable[int]]:
    """Return a function to the columns of a text's terms; char_wb caches words."""
    vocabulary, terms = vectorizer.vocabulary_, _analyzer(vectorizer)

    def columns(text: str) -> list[int]:
        return [vocabulary[term] for term in terms(text) if term in vocabulary]

    if vectorizer.analyzer != "char_wb":
        return columns
    known = lru_cache(CACHED_WORDS)(columns)
    return lambda text: chain.from_iterable(
        [
            known(word) if len(word) <= CACHED_LENGTH else columns(word)
            for word in text.split()
        ]
    )
