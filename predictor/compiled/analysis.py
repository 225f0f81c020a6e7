"""Cuts a text into a vectorizer's terms, without scikit-learn's calls if possible."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import chain
from typing import Any

from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer

from predictor.compiled.steps import Prepare, UnknownStep, as_it_is

CACHED_WORDS, CACHED_LENGTH = 4096, 32
USUAL = (
    *("analyzer", "lowercase", "strip_accents", "preprocessor", "tokenizer"),
    *("token_pattern", "ngram_range", "stop_words"),
)
LOWER_WORDS = bytes(
    ord(chr(code).lower()) if code < 128 and (chr(code).isalnum() or code == 95) else 32
    for code in range(256)
)

Vectorizer = Any  # CountVectorizer, TfidfVectorizer or HashingVectorizer; untyped
Terms = Callable[[str], Iterable[str]]


def terms(vectorizer: Vectorizer, prepare: Prepare) -> Terms:
    """Return a function to a text's terms; a term counts as often as it comes."""
    if vectorizer.input != "content":
        raise UnknownStep(f"input={vectorizer.input!r}")
    found = _terms(vectorizer)
    return found if prepare is as_it_is else lambda text: found(prepare(text))


def _terms(vectorizer: Vectorizer) -> Terms:
    if callable(vectorizer.analyzer):
        own: Terms = vectorizer.analyzer
        return own
    if vectorizer.analyzer == "char_wb":
        return _within_words(vectorizer)
    if _is_usual(vectorizer):
        return _words(vectorizer.build_tokenizer())
    analyzer: Terms = vectorizer.build_analyzer()
    return analyzer


def _is_usual(vectorizer: Vectorizer) -> bool:
    """Return whether only known words count, of two characters and more."""
    given, usual = vectorizer.get_params(), CountVectorizer().get_params()
    if isinstance(vectorizer, HashingVectorizer) or any(
        len(term) < 2 for term in vectorizer.vocabulary_
    ):
        return False
    return all(given[name] == usual[name] for name in USUAL)


def _words(find: Callable[[str], list[str]]) -> Terms:
    """Return a function to lower-cased words; ASCII takes a quarter of the time.

    It also finds words of one character, which scikit-learn's default pattern drops.
    """

    def words(text: str) -> Iterable[str]:
        if text.isascii():
            return text.encode().translate(LOWER_WORDS).decode().split()
        return find(text.lower())

    return words


def _within_words(vectorizer: Vectorizer) -> Terms:
    """Return a function to the n-grams of each word; those of short words are kept.

    The whole text is preprocessed before it is split: a preprocessor may look, and
    Unicode's normal form may add spaces, across the borders of words.
    """
    preprocess = vectorizer.build_preprocessor()
    ngrams = vectorizer._char_wb_ngrams
    known = lru_cache(CACHED_WORDS)(ngrams)

    def found(text: str) -> Iterable[str]:
        return chain.from_iterable(
            [
                known(word) if len(word) <= CACHED_LENGTH else ngrams(word)
                for word in preprocess(text).split()
            ]
        )

    return found
