"""Cuts a text into a vectorizer's terms, without scikit-learn's calls if possible."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, TypeVar

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer

from predictor.compiled.steps import Columns, Prepare, Read, UnknownStep, as_it_is

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
# From what was read of texts to all of their terms, and how many are each text's.
Cut = Callable[[Sequence[Any]], tuple[Sequence[str], Columns]]
Place = TypeVar("Place")


def terms(vectorizer: Vectorizer, prepare: Prepare) -> Terms:
    """Return a function to a text's terms; a term counts as often as it comes."""
    _check(vectorizer)
    if callable(vectorizer.analyzer):
        found: Terms = vectorizer.analyzer
    elif _is_usual(vectorizer):
        found = _words(vectorizer.build_tokenizer())
    else:
        found = vectorizer.build_analyzer()
    return found if prepare is as_it_is else lambda text: found(prepare(text))


def places(
    vectorizer: Vectorizer, prepare: Prepare, place: Callable[[str], Place | None]
) -> Callable[[str], list[Place]]:
    """Return a function to the places of a text's terms, without those that have none.

    Of char_wb, the places of short words are kept.
    """
    if vectorizer.analyzer != "char_wb":
        found = terms(vectorizer, prepare)
        return lambda text: [at for at in map(place, found(text)) if at is not None]
    split, ngrams = words_and_ngrams(vectorizer, prepare)

    def within(word: str) -> list[Place]:
        return [at for at in map(place, ngrams(word)) if at is not None]

    known = lru_cache(CACHED_WORDS)(within)

    def of_text(text: str) -> list[Place]:
        words = [
            known(word) if len(word) <= CACHED_LENGTH else within(word)
            for word in split(text)
        ]
        return [*chain.from_iterable(words)]

    return of_text


def cut_many(vectorizer: Vectorizer, prepare: Prepare) -> tuple[Read, Cut]:
    """Return what is read of each text, and what cuts all that was read.

    ASCII texts are joined and cut into usual words at once: half of the time.
    """
    found = terms(vectorizer, prepare)
    if callable(vectorizer.analyzer) or not _is_usual(vectorizer):
        return lambda text: list(found(text)), _joined

    def cut(texts: Sequence[str]) -> tuple[Sequence[str], Columns]:
        every = " ".join([*texts, ""])
        if not every.isascii():
            return _joined([list(found(text)) for text in texts])
        letters = every.encode().translate(LOWER_WORDS)
        is_word = np.frombuffer(b" " + letters, np.uint8) != ord(" ")
        sizes = np.fromiter(map(len, texts), np.intp, len(texts)) + 1
        begins = is_word[1:] > is_word[:-1]
        words = np.add.reduceat(begins, np.cumsum(sizes) - sizes, dtype=np.intp)
        return letters.decode().split(), words

    return prepare, cut


def _joined(cuts: Sequence[Sequence[str]]) -> tuple[Sequence[str], Columns]:
    return [*chain.from_iterable(cuts)], np.array(list(map(len, cuts)), np.intp)


def words_and_ngrams(
    vectorizer: Vectorizer, prepare: Prepare
) -> tuple[Callable[[str], list[str]], Callable[[str], list[str]]]:
    """Return char_wb's two steps: from a text to words, from a word to n-grams.

    The whole text is preprocessed before it is split: a preprocessor may look, and
    Unicode's normal form may add spaces, across the borders of words.
    """
    _check(vectorizer)
    preprocess, ngrams = vectorizer.build_preprocessor(), vectorizer._char_wb_ngrams
    if prepare is as_it_is:
        return lambda text: preprocess(text).split(), ngrams
    return lambda text: preprocess(prepare(text)).split(), ngrams


def _check(vectorizer: Vectorizer) -> None:
    if vectorizer.input != "content":
        raise UnknownStep(f"input={vectorizer.input!r}")


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
