"""predictor.scorer: scikit-learn's numbers, from other code."""

import random
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import ComplementNB, MultinomialNB
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline

from predictor import artifact, scorer
from predictor.model import PROBES
from scripts.local.processes import ROOT
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
    score, texts = scorer.compile_pipeline(pipeline), _strings()
    expected = pipeline.predict_proba(texts)
    found = np.array([score(text) for text in texts])
    assert np.abs(found - expected).max() <= scorer.TOLERANCE
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).all()


TEXTS = [
    "hello you",
    "hello there",
    "why not",
    "why is it",
    "so bad",
    "bad bad day",
] * 6
INTENTS = ["greeting", "greeting", "question", "question", "complaint", "complaint"] * 6


def _soft(**options: Any) -> VotingClassifier:
    bayes = make_pipeline(CountVectorizer(), MultinomialNB())
    words = make_pipeline(TfidfVectorizer(), LogisticRegression())
    return VotingClassifier([("a", bayes), ("b", words)], **options)


KNOWN = {
    "bayes": lambda: make_pipeline(CountVectorizer(), MultinomialNB()),
    "words of one character": lambda: make_pipeline(
        CountVectorizer(vocabulary=["a", "bad", "hello", "why"]), MultinomialNB()
    ),
    "logistic": lambda: make_pipeline(TfidfVectorizer(), LogisticRegression()),
    "bigrams": lambda: make_pipeline(
        CountVectorizer(ngram_range=(1, 2), stop_words="english"), MultinomialNB()
    ),
    "accents": lambda: make_pipeline(
        TfidfVectorizer(strip_accents="unicode", analyzer="char"), LogisticRegression()
    ),
    "union": lambda: make_pipeline(
        FeatureUnion([("w", CountVectorizer(binary=True)), ("c", TfidfVectorizer())]),
        LogisticRegression(),
    ),
    "vote": lambda: make_pipeline(_soft(voting="soft")),
    "temperature": lambda: make_pipeline(
        CountVectorizer(),
        CalibratedClassifierCV(
            MultinomialNB(), method="temperature", cv=2, ensemble=False
        ),
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_what_users_combine_is_compiled(name: str) -> None:
    pipeline = KNOWN[name]().fit(TEXTS, INTENTS)
    texts = (*PROBES, "a bad day, a", "WHY_not")
    assert scorer.difference(scorer.compile_pipeline(pipeline), pipeline, texts) == ""


UNKNOWN: dict[str, tuple[Callable[[], Pipeline], str]] = {
    "model": (lambda: make_pipeline(CountVectorizer(), ComplementNB()), "ComplementNB"),
    "hard vote": (lambda: make_pipeline(_soft(voting="hard")), "voting='hard'"),
    "norm": (
        lambda: make_pipeline(TfidfVectorizer(norm="l1"), LogisticRegression()),
        "TfidfVectorizer",
    ),
    "sigmoid": (
        lambda: make_pipeline(
            CountVectorizer(), CalibratedClassifierCV(MultinomialNB(), cv=2)
        ),
        "method='sigmoid'",
    ),
    "calibrated scores": (
        lambda: make_pipeline(
            CountVectorizer(),
            CalibratedClassifierCV(
                LogisticRegression(), method="temperature", cv=2, ensemble=False
            ),
        ),
        "CalibratedClassifierCV of LogisticRegression",
    ),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_step_that_is_not_known_is_named(name: str) -> None:
    make, step = UNKNOWN[name]
    with pytest.raises(scorer.UnknownStep, match=step):
        scorer.compile_pipeline(make().fit(TEXTS, INTENTS))


def test_a_subclass_may_answer_otherwise_and_is_not_known() -> None:
    class Own(MultinomialNB):  # type: ignore[misc]
        pass

    with pytest.raises(scorer.UnknownStep, match="Own"):
        scorer.compile_pipeline(
            make_pipeline(CountVectorizer(), Own()).fit(TEXTS, INTENTS)
        )


def test_a_difference_is_told_in_numbers() -> None:
    pipeline = KNOWN["bayes"]().fit(TEXTS, INTENTS)
    said = scorer.difference(lambda _: [0.0, 0.5, 0.5], pipeline, ["why not"])
    assert said.startswith("compiled, 1 labels differ and probabilities by ")


def test_long_words_are_scored_and_not_remembered() -> None:
    pipeline = artifact.read(MODELS / "v2").pipeline
    texts = [f"{'ab' * 2000} hello", "x" * (scorer.CACHED_LENGTH + 1)]
    assert scorer.difference(scorer.compile_pipeline(pipeline), pipeline, texts) == ""
