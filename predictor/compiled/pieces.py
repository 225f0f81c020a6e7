"""N-grams of words (char_wb) whose weights add up: a known word's are summed at load.

Where every occurrence of an n-gram is worth the same, so is every occurrence of a word.
The words that a pipeline knows are most words of most texts; of the others the n-grams
are looked up each time. Nothing is remembered: no text is cheaper when it comes again.
"""

from itertools import chain
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from predictor.compiled.analysis import CACHED_LENGTH, words_and_ngrams
from predictor.compiled.occurrences import Listed
from predictor.compiled.steps import Texts

MOST_WORDS = 1 << 15


def pieces(step: Any, texts: Texts) -> Listed:
    """Return the n-grams of a fitted vectorizer, and the words of `texts`.

    There is a row for each n-gram, and below them one for each known word.
    """
    words, cut = words_and_ngrams(step, texts.prepare)
    place = step.vocabulary_.get

    def ngrams(word: str) -> list[int]:
        return [at for at in map(place, cut(word)) if at is not None]

    short = [word for word in texts.words if len(word) <= CACHED_LENGTH][:MOST_WORDS]
    found = list(map(ngrams, short))
    width = len(step.vocabulary_)
    ends = np.cumsum([0, *map(len, found)])
    every = np.fromiter(chain.from_iterable(found), np.intp, ends[-1])
    counts = csr_array((np.ones(len(every)), every, ends), shape=(len(short), width))
    known = {word: width + at for at, word in enumerate(short)}

    def read(text: str) -> list[int]:
        parts = words(text)
        found = list(map(known.get, parts))
        if None not in found:
            return found  # type: ignore[return-value]
        rows = [at for at in found if at is not None]
        for word, at in zip(parts, found, strict=True):
            if at is None:
                rows += ngrams(word)
        return rows

    return Listed(read, lambda weights: np.vstack([weights, counts @ weights]))
