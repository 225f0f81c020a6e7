"""Compiles TfidfVectorizer to sums over its terms.

A class's sum is linear in f(n), what n occurrences of a term are worth; the square of
the text's length is linear in f(n) squared. So both are sums of weights.
"""

import math
from collections.abc import Iterable

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from predictor.compiled.counts import counted, weighted
from predictor.compiled.lookup import Sums, Worth, as_often, lookup, once
from predictor.compiled.steps import Array, Features, Row, Rows, Texts


def tfidf(step: TfidfVectorizer, texts: Texts) -> Features:
    """Compile weighted terms. Raises UnknownStep."""
    vector = weighted(counted(step, texts.prepare), step)
    width = len(step.vocabulary_)
    if step.norm not in ("l2", None) or not width:
        return Features.of(width, vector)
    asked = lookup(step, texts)
    worth, squared = _worths(step)

    def fold(weights: Array) -> Rows:
        idf = step.idf_ if step.use_idf else np.ones(width)
        shares = asked.sums(weights * idf[:, None], worth)
        if step.norm is None:
            return lambda text: (shares(text),)
        return _of_unit_length(shares, asked.sums(idf[:, None] ** 2, squared))

    return Features(width, vector, fold)


def _of_unit_length(shares: Sums, squares: Sums) -> Rows:
    def rows(text: str) -> Iterable[Row]:
        length = math.sqrt(squares(text)[0]) or 1.0
        return ([share / length for share in shares(text)],)

    return rows


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
