"""Compiles counts of terms, and what weighs them and makes them of one length."""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import repeat
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

from predictor.compiled.analysis import cut_many, places, terms
from predictor.compiled.lookup import Sums, as_often, lookup, once
from predictor.compiled.steps import (
    Array,
    Columns,
    Features,
    Found,
    Part,
    Prepare,
    Read,
    Row,
    Texts,
    UnknownStep,
    Weighed,
    floats,
    product,
)

# Of both, every count below 2^53 is exact.
EXACT = (np.dtype(np.int64), np.dtype(np.float64))

Vector = Callable[[str], tuple[Columns, Array]]


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


def counts(step: CountVectorizer, texts: Texts) -> Features:
    """Compile term counts: a term's row, once per occurrence (once, if binary).

    Of few and common words, sums of tuples are faster than an array's.
    """
    width, vector = len(step.vocabulary_), counted(step, texts.prepare)
    if width and (callable(step.analyzer) or step.analyzer == "char_wb"):
        asked = lookup(step, texts, adds_up=not step.binary)
        worth = once if step.binary else as_often
        return Features(
            width,
            vector,
            lambda weights: summed(asked.read, asked.sums(weights, worth)),
        )
    found = terms(step, texts.prepare)
    own = Features.of(width, vector)

    def fold(weights: Array) -> Weighed:
        rows = [tuple(row) for row in weights.tolist()]
        vocabulary = step.vocabulary_.items()
        table: dict[str, Row] = {term: rows[at] for term, at in vocabulary}
        if step.binary:
            parts = own.fold(weights).parts
            return Weighed(
                lambda text: filter(None, map(table.get, set(found(text)))), parts
            )
        part = batched(step, texts.prepare, weights)
        return Weighed(lambda text: filter(None, map(table.get, found(text))), [part])

    return Features(width, vector, fold)


def summed(read: Read, sums: Sums) -> Weighed:
    """Return sums as they are."""
    return Weighed(lambda text: (sums.of_text(text),), [Part(read, sums.of_texts)])


def batched(step: CountVectorizer, prepare: Prepare, weights: Array) -> Part:
    """Return the sums of many texts' terms, of all their occurrences at once."""
    read, cut = cut_many(step, prepare)
    place, unknown = step.vocabulary_.get, len(weights)
    table = np.vstack([weights, np.zeros((1, weights.shape[1]))])

    def weigh(found: Found) -> Array:
        words, counts = cut(found[read])
        rows = np.fromiter(map(place, words, repeat(unknown)), np.intp, len(words))
        return product(rows, np.ones(len(rows)), counts, table)

    return Part(read, weigh)


def counted(step: CountVectorizer, prepare: Prepare) -> Vector:
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
