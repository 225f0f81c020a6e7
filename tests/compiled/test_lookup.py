"""predictor.compiled.lookup: the terms of a text, found and weighed."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from predictor.compiled import trie
from predictor.compiled.steps import Features, Row, Texts
from predictor.compiled.vectorizers import vectorized
from tests.support import pipelines

FITTED = ["why is my order late?", "Hi there, so good!! 😀", "don't e-mail me a x"]
WORDS = ("is", "late?", "don't", "there,", "mail")
LONG = "the café is late, so late! " * 100


def _differences(vectorizer: Any, asked: Sequence[str]) -> float:
    """Compare sums over terms with scikit-learn's product, as shares of the largest."""
    expected = vectorizer.transform(asked)
    weights = np.random.default_rng(3).normal(size=(expected.shape[1], 4))
    features = vectorized(vectorizer, Texts(words=WORDS))
    assert isinstance(features, Features)
    rows, parts = features.fold(weights)
    found = np.array([[sum(each) for each in _columns(rows(text))] for text in asked])
    read = {part.read: [part.read(text) for text in asked] for part in parts}
    many = np.sum([part.weigh(read) for part in parts], axis=0)
    products = np.asarray(expected @ weights)
    apart = max(np.abs(found - products).max(), np.abs(many - products).max())
    return float(apart / max(np.abs(products).max(), 1.0))


def _columns(rows: Iterable[Row]) -> Iterable[tuple[float, ...]]:
    return zip((0.0,) * 4, *rows, strict=True)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([CountVectorizer, TfidfVectorizer]),
    st.sampled_from([(2, 5), (2, 2), (3, 4), (1, 3), (4, 6)]),
    st.booleans(),
    st.sampled_from(["l1", "l2", None]),
    st.lists(pipelines.texts(), min_size=1, max_size=4),
)
def test_ngrams_of_words_are_found_in_any_text(
    kind: Any,
    ngrams: tuple[int, int],
    is_binary: bool,
    norm: str | None,
    asked: list[str],
) -> None:
    vectorizer = kind(analyzer="char_wb", ngram_range=ngrams, binary=is_binary)
    if kind is TfidfVectorizer:
        vectorizer.norm = norm
    vectorizer.fit(FITTED)
    assert _differences(vectorizer, [*asked, "", LONG]) < 1e-12


@pytest.mark.parametrize("norm", ["l1", "l2", None])
@pytest.mark.parametrize("is_sublinear", [True, False])
def test_terms_that_come_again_are_worth_less(
    norm: str | None, is_sublinear: bool
) -> None:
    vectorizer = TfidfVectorizer(
        analyzer=str.split, norm=norm, sublinear_tf=is_sublinear
    )
    vectorizer.fit(FITTED)
    asked = ["is is is late?", "good!! is", "of none", "is my " * 2000]
    assert _differences(vectorizer, asked) < 1e-12


def test_steps_of_the_same_terms_look_them_up_once() -> None:
    asked: list[str] = []

    def words(text: str) -> list[str]:
        asked.append(text)
        return text.split()

    texts, weights = Texts(), np.ones((11, 2))
    weighted = TfidfVectorizer(analyzer=words).fit(FITTED)
    counted = CountVectorizer(analyzer=words).fit(FITTED)
    width = len(counted.vocabulary_)
    weights = np.ones((width, 2))
    steps = [vectorized(each, texts) for each in (weighted, counted)]
    rows = [each.fold(weights) for each in steps if isinstance(each, Features)]
    asked.clear()
    for each in rows:
        list(each.rows("why is my order"))
    assert asked == ["why is my order"]


@pytest.mark.parametrize("vocabulary", [["e m", "is", " my"], ["ab", "bc", " a"]])
def test_a_vocabulary_that_was_given_is_found_as_scikit_learn_does(
    vocabulary: list[str],
) -> None:
    vectorizer = CountVectorizer(
        analyzer="char_wb", ngram_range=(2, 3), vocabulary=vocabulary
    ).fit(FITTED)
    assert _differences(vectorizer, [*FITTED, "abc ab e me m"]) < 1e-12


def test_ngrams_that_are_too_many_for_a_table_are_cut_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trie, "LARGEST", 8)
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4)).fit(FITTED)
    assert trie.Trie.of(vectorizer) is None
    assert _differences(vectorizer, [*FITTED, LONG]) < 1e-12
