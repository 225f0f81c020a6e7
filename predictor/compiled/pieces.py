"""N-grams of words (char_wb) whose weights add up: a known word's are summed at load.

Where every occurrence of an n-gram is worth the same, so is every occurrence of a word.
The words that a pipeline knows are most words of most texts; of the others the n-grams
are looked up each time. Nothing is remembered: no text is cheaper when it comes again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from predictor.compiled.analysis import CACHED_LENGTH, words_and_ngrams
from predictor.compiled.occurrences import flat
from predictor.compiled.steps import Array, Columns, Texts

MOST_WORDS = 1 << 15


@dataclass(frozen=True, slots=True)
class Pieces:
    """A row for each n-gram, and below them one for each known word."""

    words: Callable[[str], list[str]]
    ngrams: Callable[[str], list[int]]
    known: Mapping[str, int]
    counts: csr_array  # [known words, n-grams]

    def read(self, text: str) -> list[int]:
        """Return the rows of the words of a text."""
        words = self.words(text)
        found = list(map(self.known.get, words))
        if None not in found:
            return found  # type: ignore[return-value]
        rows = [at for at in found if at is not None]
        for word, at in zip(words, found, strict=True):
            if at is None:
                rows += self.ngrams(word)
        return rows

    def rows(self, found: list[int]) -> list[int]:
        """Return what was read."""
        return found

    def of_many(self, found: Sequence[list[int]]) -> tuple[Columns, Columns]:
        """Return all of them."""
        return flat(found)

    def table(self, weights: Array) -> Array:
        """Return the n-grams' weights and the known words' sums of them."""
        return np.vstack([weights, self.counts @ weights])


def pieces(step: Any, texts: Texts) -> Pieces:
    """Return the n-grams of a fitted vectorizer, and the words of `texts`."""
    words, cut = words_and_ngrams(step, texts.prepare)
    place = step.vocabulary_.get

    def ngrams(word: str) -> list[int]:
        return [at for at in map(place, cut(word)) if at is not None]

    known = [word for word in texts.words if len(word) <= CACHED_LENGTH][:MOST_WORDS]
    found = list(map(ngrams, known))
    width = len(step.vocabulary_)
    ends = np.cumsum([0, *map(len, found)])
    every = np.fromiter(chain.from_iterable(found), np.intp, ends[-1])
    counts = csr_array((np.ones(len(every)), every, ends), shape=(len(known), width))
    return Pieces(words, ngrams, {w: width + at for at, w in enumerate(known)}, counts)
