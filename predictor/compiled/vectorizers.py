"""Compiles what makes numbers of a text: counts, tf-idf, hashes, functions."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import repeat
from operator import mul
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfVectorizer,
)
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import murmurhash3_32

from predictor.compiled.analysis import places
from predictor.compiled.counts import counts, normalized
from predictor.compiled.steps import (
    Array,
    Columns,
    Features,
    Found,
    Part,
    Prepare,
    Row,
    Texts,
    UnknownStep,
    Weighed,
    as_it_is,
)
from predictor.compiled.tfidf import tfidf
from predictor.features import LexiconScores, Shape, Spelling, shape

CACHED_TERMS = 65_536
FEW = 32  # of them, most are usually zero


def vectorized(step: Any, texts: Texts) -> Features | Texts:
    """Compile the first transformer behind texts. Raises UnknownStep.

    A function from text to text prepares for the next one. Types are compared exactly:
    a subclass may answer differently.
    """
    kind, prepare = type(step), texts.prepare
    if kind is CountVectorizer:
        return counts(step, texts)
    if kind is TfidfVectorizer:
        return tfidf(step, texts)
    if kind is HashingVectorizer:
        return _hashes(step, prepare)
    if kind is FunctionTransformer:
        return _function(step, texts)
    if kind is Spelling:
        # Each vectorizer behind it asks for the same text in turn.
        corrected = lru_cache(1)(lambda text: str(step.correct(prepare(text))))
        return Texts(corrected, texts.words)
    if kind is LexiconScores:
        return dense(step.scores, prepare)
    if kind is Shape:
        return dense(shape, prepare)
    raise UnknownStep(kind.__name__)


def dense(measure: Callable[[str], Any], prepare: Prepare = as_it_is) -> Features:
    """Compile a function to as many numbers for each text."""
    width = len(measure(prepare("")))
    everywhere = np.arange(width)

    def read(text: str) -> Any:
        return measure(prepare(text))

    def vector(text: str) -> tuple[Columns, Array]:
        return everywhere, np.asarray(read(text), dtype=np.float64)

    def fold(weights: Array) -> Weighed:
        def weigh(found: Found) -> Array:
            values = np.array(found[read], dtype=np.float64)
            products: Array = values.reshape(-1, width) @ weights
            return products

        parts = [Part(read, weigh)]
        if width > FEW:
            return Weighed(lambda text: [(vector(text)[1] @ weights).tolist()], parts)
        table = weights.tolist()

        def rows(text: str) -> Iterable[Row]:
            pairs = zip(read(text), table, strict=True)
            return [
                row if value == 1 else list(map(mul, row, repeat(value)))
                for value, row in pairs
                if value
            ]

        return Weighed(rows, parts)

    return Features(width, vector, fold)


def _hashes(step: HashingVectorizer, prepare: Prepare) -> Features:
    """Compile hashed terms: a column for each, and a sign that balances collisions."""
    if np.dtype(step.dtype) != np.float64:
        raise UnknownStep(f"HashingVectorizer of {np.dtype(step.dtype)}")
    width, is_signed, is_binary = step.n_features, step.alternate_sign, step.binary

    @lru_cache(CACHED_TERMS)
    def place(term: str) -> tuple[int, float]:
        number = murmurhash3_32(term, seed=0)
        # abs() of the least 32-bit number has no 32-bit result.
        at = (2**31 - 1 - (width - 1)) % width if number == -(2**31) else abs(number)
        return at % width, -1.0 if is_signed and number < 0 else 1.0

    found = places(step, prepare, place)

    def vector(text: str) -> tuple[Columns, Array]:
        sums: dict[int, float] = {}
        for at, sign in found(text):
            sums[at] = sums.get(at, 0.0) + sign
        columns = np.fromiter(sums, np.intp, len(sums))
        if is_binary:
            return columns, np.ones(len(sums))
        return columns, np.fromiter(sums.values(), np.float64, len(sums))

    return Features.of(width, normalized(vector, step.norm))


def _function(step: FunctionTransformer, texts: Texts) -> Features | Texts:
    """Compile a function of a list of texts: to other texts, or to numbers."""
    if step.validate:
        raise UnknownStep("FunctionTransformer(validate=True)")
    if step.func is None:
        return texts
    prepare = texts.prepare
    function, options = step.func, step.kw_args or {}

    def first(text: str) -> Any:
        return function([prepare(text)], **options)

    if isinstance(first("Hello!")[0], str):
        return Texts(lambda text: str(first(text)[0]), texts.words)
    return dense(lambda text: _row(first(text)))


def _row(matrix: Any) -> list[float]:
    """Return the one row of an array or a sparse matrix."""
    values = matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix)
    row = values.reshape(1, -1)[0]
    if not np.issubdtype(row.dtype, np.number) or row.dtype == np.float32:
        raise UnknownStep(f"a function to {row.dtype}")
    numbers: list[float] = row.tolist()
    return numbers
