"""predictor.compiled: scikit-learn's numbers, from other code."""

import random
import re
import sys
from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import VotingClassifier
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.feature_selection import (
    SelectFromModel,
    SelectKBest,
    VarianceThreshold,
    chi2,
)
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import ComplementNB, MultinomialNB
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from predictor import artifact, compiled, scorer
from predictor.compiled import tfidf
from predictor.compiled.analysis import CACHED_LENGTH
from predictor.compiled.comparison import PROBES
from predictor.compiled.lookup import Lookup
from predictor.compiled.occurrences import Listed
from scripts.local.processes import ROOT
from tests.support import documentation
from tests.support.predictors import MODELS
from training import dataset

STRINGS = 50_000
PIECES = (
    *("a\u0301", "e\u0308\u0323", "\U0001f600", "\U0001f468\u200d\U0001f469", "ﬁ"),
    *("\u0130", "ΑΣ", "ß", "don't", "isn’t", "but", "never", "\x00", "\u00a0"),  # noqa: RUF001
    *("\u2028", "\t", "?!", "((", "_x_", "42", "\u0661\u0662", "東京", "не"),
)


def _strings() -> list[str]:
    """Own texts and their mixtures, all planes, the longest, what looks odd."""
    chance = random.Random(7)
    own = [row.text for row in dataset.read(ROOT / "training" / "data" / "intents.csv")]
    words = [word for text in own for word in text.split()] + list(PIECES) * 40
    planes = [
        chr(code) for code in range(sys.maxunicode) if not 0xD800 <= code < 0xE000
    ]
    found = [*own, "", " ", "a", "a" * 8192, "é " * 4096, *PIECES, *PROBES]
    while len(found) < STRINGS // 2:
        found.append(" ".join(chance.choices(words, k=chance.randint(1, 25))))
    while len(found) < STRINGS:
        found.append("".join(chance.choices(planes, k=chance.randint(1, 40))))
    return found


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_fifty_thousand_strings_are_scored_as_by_scikit_learn(version: str) -> None:
    pipeline = artifact.read(MODELS / version).pipeline
    score, texts = compiled.compile_pipeline(pipeline), _strings()
    assert compiled.difference(score, pipeline, texts) == ""


TEXTS = [
    *("hello you", "hello there", "why not", "why is it", "so bad", "bad bad day"),
    *("thank you", "thanks, great"),
] * 6
INTENTS = [
    *("greeting", "greeting", "question", "question", "complaint", "complaint"),
    *("praise", "praise"),
] * 6
INTENTS[-8:] = INTENTS[-7:] + INTENTS[-8:-7]  # some are mistaken, as people's are


def _fitted(*steps: Any) -> Pipeline:
    return make_pipeline(*steps).fit(TEXTS, INTENTS)


def _calibrated(model: Any, method: str, **options: Any) -> CalibratedClassifierCV:
    return CalibratedClassifierCV(model, method=method, cv=2, **options)


def _soft(**options: Any) -> VotingClassifier:
    bayes = make_pipeline(CountVectorizer(), MultinomialNB())
    words = make_pipeline(TfidfVectorizer(), LogisticRegression())
    return VotingClassifier([("a", bayes), ("b", words)], **options)


def lengths(texts: list[str]) -> list[list[int]]:
    return [[len(text), len(text.split())] for text in texts]


def without_tags(text: str) -> str:
    return re.sub("<[^>]*>", " ", text).lower()


CLASSIFIERS: dict[str, Callable[[], Any]] = {
    "MultinomialNB": MultinomialNB,
    "ComplementNB": ComplementNB,
    "LogisticRegression": LogisticRegression,
    'SGDClassifier(loss="log_loss")': lambda: SGDClassifier(loss="log_loss"),
    'CalibratedClassifierCV(method="sigmoid")': lambda: _calibrated(
        LinearSVC(), "sigmoid"
    ),
    'CalibratedClassifierCV(method="temperature")': lambda: _calibrated(
        MultinomialNB(), "temperature", ensemble=False
    ),
    'VotingClassifier(voting="soft")': lambda: VotingClassifier(
        [("a", MultinomialNB()), ("b", LogisticRegression())],
        voting="soft",
        weights=(2, 1),
    ),
}
FEATURES: dict[str, Callable[[], tuple[Any, ...]]] = {
    "CountVectorizer": lambda: (CountVectorizer(),),
    "TfidfVectorizer": lambda: (TfidfVectorizer(sublinear_tf=True, norm="l1"),),
    "HashingVectorizer": lambda: (
        HashingVectorizer(n_features=2**12, alternate_sign=False),
    ),
    "TfidfTransformer": lambda: (CountVectorizer(), TfidfTransformer(use_idf=False)),
    "FeatureUnion": lambda: (
        FeatureUnion(
            [("w", CountVectorizer(binary=True)), ("c", TfidfVectorizer())],
            transformer_weights={"c": 2.0},
        ),
    ),
    "FunctionTransformer": lambda: (
        FeatureUnion(
            [("n", FunctionTransformer(lengths)), ("w", CountVectorizer())],
        ),
    ),
    "SelectKBest": lambda: (CountVectorizer(), SelectKBest(chi2, k=4)),
    "SelectFromModel": lambda: (
        *(CountVectorizer(), SelectFromModel(LinearSVC(), max_features=5)),
    ),
    "VarianceThreshold": lambda: (CountVectorizer(), VarianceThreshold(0.05)),
    "MaxAbsScaler": lambda: (CountVectorizer(), MaxAbsScaler()),
    "MinMaxScaler": lambda: (FunctionTransformer(lengths), MinMaxScaler()),
    "StandardScaler": lambda: (CountVectorizer(), StandardScaler(with_mean=False)),
    "RobustScaler": lambda: (
        *(FunctionTransformer(lengths), RobustScaler(), MinMaxScaler()),
    ),
    "Normalizer": lambda: (CountVectorizer(), Normalizer()),
}
OPTIONS: dict[str, dict[str, Any]] = {
    'analyzer="char"': {"analyzer": "char", "ngram_range": (1, 3)},
    'analyzer="char_wb"': {"analyzer": "char_wb", "ngram_range": (2, 4)},
    "analyzer=function": {"analyzer": str.split},
    "preprocessor=function": {"preprocessor": without_tags, "analyzer": "char_wb"},
    "tokenizer=function": {"tokenizer": str.split, "token_pattern": None},
    "token_pattern": {"token_pattern": r"(?u)\b\w+\b"},
    "ngram_range": {"ngram_range": (1, 2)},
    "stop_words": {"stop_words": "english"},
    "strip_accents": {"strip_accents": "unicode"},
    "lowercase=False": {"lowercase": False},
    "binary=True": {"binary": True},
    "vocabulary": {"vocabulary": ["a", "bad", "hello", "why"]},
    "max_features": {"max_features": 5},
}


def _same(pipeline: Pipeline) -> str:
    texts = [*compiled.probes(pipeline), "a bad day, a", "WHY_not"]
    return compiled.difference(compiled.compile_pipeline(pipeline), pipeline, texts)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_each_classifier_of_the_table_is_compiled(name: str) -> None:
    assert _same(_fitted(CountVectorizer(), CLASSIFIERS[name]())) == ""


@pytest.mark.parametrize("name", FEATURES)
def test_each_transformer_of_the_table_is_compiled(name: str) -> None:
    assert _same(_fitted(*FEATURES[name](), LogisticRegression(max_iter=5000))) == ""


@pytest.mark.parametrize("kind", [CountVectorizer, TfidfVectorizer])
@pytest.mark.parametrize("name", OPTIONS)
def test_each_option_of_the_table_is_compiled(name: str, kind: Any) -> None:
    assert _same(_fitted(kind(**OPTIONS[name]), MultinomialNB())) == ""


def test_the_documentation_names_what_is_compiled() -> None:
    text = documentation.text("docs/serving.md")
    rows = {
        row: set(re.findall(r"`([^`]+)`", cells))
        for row, cells in re.findall(r"^\| (\w+) \| (.*) \|$", text, re.MULTILINE)
    }
    assert rows["classifiers"] == set(CLASSIFIERS)
    assert rows["transformers"] == set(FEATURES)
    assert rows["options"] == set(OPTIONS)


@pytest.mark.parametrize("labels", [("no", "yes"), (0, 1), (False, True), (3, 1, 2)])
@pytest.mark.parametrize("model", [LogisticRegression, MultinomialNB])
def test_labels_of_any_kind_and_number_are_compiled(
    labels: tuple[Any, ...], model: Any
) -> None:
    given = [labels[at % len(labels)] for at in range(len(TEXTS))]
    assert _same(make_pipeline(TfidfVectorizer(), model()).fit(TEXTS, given)) == ""


def test_a_preprocessor_sees_the_whole_text_and_not_its_words() -> None:
    vectorizer = TfidfVectorizer(analyzer="char_wb", preprocessor=without_tags)
    pipeline = _fitted(vectorizer, LogisticRegression(C=50))
    score = compiled.compile_pipeline(pipeline)
    text = "<a href='why'>hello you</a> hello there"
    expected = pipeline.predict_proba([text])[0].tolist()
    assert score.one(text) == pytest.approx(expected, abs=compiled.TOLERANCE)


UNKNOWN: dict[str, tuple[Callable[[], tuple[Any, ...]], str]] = {
    "model": (lambda: (CountVectorizer(), DecisionTreeClassifier()), "DecisionTree"),
    "hard vote": (lambda: (_soft(voting="hard"),), "voting='hard'"),
    "32-bit floats": (
        lambda: (TfidfVectorizer(dtype=np.float32), LogisticRegression()),
        "TfidfVectorizer of float32",
    ),
    "isotonic": (
        lambda: (CountVectorizer(), _calibrated(MultinomialNB(), "isotonic")),
        "method='isotonic'",
    ),
    "matrix": (
        lambda: (CountVectorizer(), TruncatedSVD(2), LogisticRegression()),
        "TruncatedSVD",
    ),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_step_that_is_not_known_is_named(name: str) -> None:
    make, step = UNKNOWN[name]
    with pytest.raises(compiled.UnknownStep, match=step):
        compiled.compile_pipeline(_fitted(*make()))


def test_a_subclass_may_answer_otherwise_and_is_not_known() -> None:
    class Own(MultinomialNB):  # type: ignore[misc]
        pass

    with pytest.raises(compiled.UnknownStep, match="Own"):
        compiled.compile_pipeline(_fitted(CountVectorizer(), Own()))


def test_a_difference_is_told_in_numbers() -> None:
    pipeline = _fitted(CountVectorizer(), MultinomialNB())
    wrong = [0.0, 0.5, 0.25, 0.25]
    right = pipeline.predict_proba(["why not"])[0].tolist()
    ones = compiled.Compiled(lambda _: wrong, lambda _: np.array([right]))
    many = compiled.Compiled(lambda _: right, lambda _: np.array([wrong]))
    assert compiled.difference(ones, pipeline, ["why not"]) != ""
    said = compiled.difference(many, pipeline, ["why not"])
    assert said.startswith("compiled, 1 labels differ and probabilities by ")


def test_long_words_are_scored_and_not_remembered() -> None:
    pipeline = artifact.read(MODELS / "v2").pipeline
    texts = [f"{'ab' * 2000} hello", "x" * (CACHED_LENGTH + 1)]
    score = compiled.compile_pipeline(pipeline)
    assert compiled.difference(score, pipeline, texts) == ""


def test_probes_are_made_of_the_pipelines_own_words() -> None:
    pipeline = _fitted(_soft(voting="soft"))
    own = compiled.probes(pipeline)[len(PROBES) :]
    assert any("bad" in text for text in own)
    assert any("HELLO" in text for text in own)
    assert own == compiled.probes(pipeline)[len(PROBES) :]


def test_a_vocabulary_that_is_none_gives_no_words() -> None:
    vectorizer = CountVectorizer()
    vectorizer.vocabulary_ = None
    assert compiled.probes(vectorizer) == list(PROBES)


def test_a_wrong_compiled_form_is_found_by_words_across_borders(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The fault of word by word, put back: the probes at load must meet it."""
    vectorizer = TfidfVectorizer(analyzer="char_wb", preprocessor=without_tags)
    pipeline = _fitted(vectorizer, LogisticRegression(C=50))
    whole = vectorizer.build_analyzer()

    def by_word(_: object, __: object, *, adds_up: bool) -> Lookup:
        del adds_up
        place = vectorizer.vocabulary_

        def rows(text: str) -> list[int]:
            terms = chain.from_iterable(map(whole, text.split()))
            return [place[term] for term in terms if term in place]

        return Lookup(Listed(rows, lambda weights: weights))

    monkeypatch.setattr(tfidf, "lookup", by_word)
    found = scorer.scorer(pipeline, compiled.probes(pipeline))
    assert not found.is_compiled
    assert "probabilities by" in found.reason
