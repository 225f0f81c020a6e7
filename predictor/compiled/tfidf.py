"""Compiles TfidfVectorizer to sums over its terms.

A class's sum is linear in f(n), what n occurrences of a term are worth; so is the
text's length, or its square in f(n) squared. So all are sums of weights.
"""

import math
from collections.abc import Iterable

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from predictor.compiled.counts import counted, summed, weighted
from predictor.compiled.lookup import Sums, Worth, as_often, lookup, once
from predictor.compiled.steps import (
    Array,
    Features,
    Found,
    Part,
    Read,
    Row,
    Texts,
    Weighed,
)


def tfidf(step: TfidfVectorizer, texts: Texts) -> Features:
    """Compile weighted terms. Raises UnknownStep."""
    vector = weighted(counted(step, texts.prepare), step)
    width = len(step.vocabulary_)
    if step.norm not in ("l1", "l2", None) or not width:
        return Features.of(width, vector)
    worth, squared = _worths(step)
    adds_up = worth is as_often and step.norm != "l2"
    asked = lookup(step, texts, adds_up=adds_up)

    def fold(weights: Array) -> Weighed:
        idf = step.idf_ if step.use_idf else np.ones(width)
        if step.norm == "l1":
            with_length = np.hstack([weights, np.ones((width, 1))]) * idf[:, None]
            return _of_length_one(asked.read, asked.sums(with_length, worth))
        shares = asked.sums(weights * idf[:, None], worth)
        if step.norm is None:
            return summed(asked.read, shares)
        squares = asked.sums(idf[:, None] ** 2, squared)
        return _of_unit_square(asked.read, shares, squares)

    return Features(width, vector, fold)


def _of_length_one(read: Read, sums: Sums) -> Weighed:
    """Divide by the length, which is the last of the sums."""

    def rows(text: str) -> Iterable[Row]:
        *shares, length = sums.of_text(text)
        return ([share / (length or 1.0) for share in shares],)

    def weigh(found: Found) -> Array:
        every = sums.of_texts(found)
        length = every[:, -1:]
        return every[:, :-1] / np.where(length, length, 1.0)

    return Weighed(rows, [Part(read, weigh)])


def _of_unit_square(read: Read, shares: Sums, squares: Sums) -> Weighed:
    """Divide by the root of the sum of squares."""

    def rows(text: str) -> Iterable[Row]:
        length = math.sqrt(squares.of_text(text)[0]) or 1.0
        return ([share / length for share in shares.of_text(text)],)

    def weigh(found: Found) -> Array:
        length = np.sqrt(squares.of_texts(found))
        return shares.of_texts(found) / np.where(length, length, 1.0)

    return Weighed(rows, [Part(read, weigh)])


def _worths(step: TfidfVectorizer) -> tuple[Worth, Worth]:
    """Return f and its square."""
    if step.binary:
        return once, once
    if step.sublinear_tf:
        return _logarithm, _squared_logarithm
    return as_often, np.square


def _logarithm(counts: Array) -> Array:
    found: Array = np.log(counts) + 1
    return found


def _squared_logarithm(counts: Array) -> Array:
    found: Array = (np.log(counts) + 1) ** 2
    return found
