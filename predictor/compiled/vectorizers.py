"""Compiles what makes numbers of a text: counts, tf-idf, hashes, functions."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfVectorizer,
)
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import murmurhash3_32

from predictor.compiled.analysis import places, terms
from predictor.compiled.steps import (
    Array,
    Columns,
    Features,
    Prepare,
    Row,
    Rows,
    UnknownStep,
    as_it_is,
    floats,
)
from predictor.features import LexiconScores, Shape, Spelling, shape

CACHED_TERMS = 65_536
# Of both, every count below 2^53 is exact.
EXACT = (np.dtype(np.int64), np.dtype(np.float64))

Vector = Callable[[str], tuple[Columns, Array]]


def vectorized(step: Any, prepare: Prepare) -> Features | Prepare:
    """Compile the first transformer behind prepared texts. Raises UnknownStep.

    A function from text to text prepares for the next one. Types are compared exactly:
    a subclass may answer differently.
    """
    kind = type(step)
    if kind is CountVectorizer:
        return _counts(step, prepare)
    if kind is TfidfVectorizer:
        return _tfidf(step, prepare)
    if kind is HashingVectorizer:
        return _hashes(step, prepare)
    if kind is FunctionTransformer:
        return _function(step, prepare)
    if kind is Spelling:
        # Each vectorizer behind it asks for the same text in turn.
        return lru_cache(1)(lambda text: str(step.correct(prepare(text))))
    if kind is LexiconScores:
        return dense(step.scores, prepare)
    if kind is Shape:
        return dense(shape, prepare)
    raise UnknownStep(kind.__name__)


def dense(measure: Callable[[str], Any], prepare: Prepare = as_it_is) -> Features:
    """Compile a function to as many numbers for each text."""
    width = len(measure(prepare("")))
    everywhere = np.arange(width)

    def vector(text: str) -> tuple[Columns, Array]:
        return everywhere, np.asarray(measure(prepare(text)), dtype=np.float64)

    def fold(weights: Array) -> Rows:
        return lambda text: [(vector(text)[1] @ weights).tolist()]

    return Features(width, vector, fold)


def normalized(vector: Vector, norm: str | None) -> Vector:
    """Divide a text's values by their length, as `Normalizer` does."""
    if norm is None:
        return vector
    lengths: Mapping[str, Callable[[Array], float]] = {
        "l1": lambda values: float(np.abs(values).sum()),
        "l2": lambda values: math.sqrt(values @ values),
        "max": lambda values: float(np.abs(values).max(initial=0.0)),
    }
    if norm not in lengths:
        raise UnknownStep(f"norm={norm!r}")
    length = lengths[norm]

    def vector_of_length(text: str) -> tuple[Columns, Array]:
        at, values = vector(text)
        return at, values / (length(values) or 1.0)

    return vector_of_length


def weighted(vector: Vector, step: Any) -> Vector:
    """Weight counts as a fitted TfidfTransformer does, whose attributes `step` has."""
    idf = floats(step.idf_) if step.use_idf else None
    is_sublinear = step.sublinear_tf

    def vector_of_weights(text: str) -> tuple[Columns, Array]:
        at, values = vector(text)
        if is_sublinear:
            values = np.log(values) + 1
        return at, values if idf is None else values * idf.take(at)

    return normalized(vector_of_weights, step.norm)


def _counts(step: CountVectorizer, prepare: Prepare) -> Features:
    """Compile term counts: a term's row, once per occurrence (once, if binary)."""
    found, vector = terms(step, prepare), _counted(step, prepare)

    def fold(weights: Array) -> Rows:
        rows = [tuple(row) for row in weights.tolist()]
        vocabulary = step.vocabulary_.items()
        table: dict[str, Row] = {term: rows[at] for term, at in vocabulary}
        if step.binary:
            return lambda text: filter(None, map(table.get, set(found(text))))
        return lambda text: filter(None, map(table.get, found(text)))

    return Features(len(step.vocabulary_), vector, fold)


def _tfidf(step: TfidfVectorizer, prepare: Prepare) -> Features:
    vector = weighted(_counted(step, prepare), step)
    return Features.of(len(step.vocabulary_), vector)


def _counted(step: CountVectorizer, prepare: Prepare) -> Vector:
    """Return a function to the columns of a text's terms, and how often each comes."""
    if np.dtype(step.dtype) not in EXACT:
        raise UnknownStep(f"{type(step).__name__} of {np.dtype(step.dtype)}")
    found, is_binary = places(step, prepare, step.vocabulary_.get), step.binary

    def vector(text: str) -> tuple[Columns, Array]:
        counts = Counter(found(text))
        columns = np.fromiter(counts, np.intp, len(counts))
        if is_binary:
            return columns, np.ones(len(counts))
        return columns, np.fromiter(counts.values(), np.float64, len(counts))

    return vector


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


def _function(step: FunctionTransformer, prepare: Prepare) -> Features | Prepare:
    """Compile a function of a list of texts: to other texts, or to numbers."""
    if step.validate:
        raise UnknownStep("FunctionTransformer(validate=True)")
    if step.func is None:
        return prepare
    function, options = step.func, step.kw_args or {}

    def first(text: str) -> Any:
        return function([prepare(text)], **options)

    if isinstance(first("Hello!")[0], str):
        return lambda text: str(first(text)[0])
    return dense(lambda text: _row(first(text)))


def _row(matrix: Any) -> Sequence[float] | Array:
    """Return the one row of an array or a sparse matrix."""
    values = matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix)
    row: Array = values.reshape(1, -1)[0]
    if not np.issubdtype(row.dtype, np.number) or row.dtype == np.float32:
        raise UnknownStep(f"a function to {row.dtype}")
    return row
