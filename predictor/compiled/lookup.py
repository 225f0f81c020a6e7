"""Adds up the weights of a text's terms for every model that reads the same terms.

A term that comes n times counts f(n) times its weights: as often as it comes, once, or
1 + log n. All weights stand beside each other in one table, so that the terms of a text
are looked up once, and its rows are added by one product.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from predictor.compiled.analysis import places
from predictor.compiled.steps import Array, Columns, Prepare, Texts
from predictor.compiled.trie import Trie

USUAL = 1024  # terms of a text
NUMBERS, ONES = np.arange(USUAL), np.ones(USUAL)

# From counts to what they are worth; one is worth 1.
Worth = Callable[[Array], Array]
Sums = Callable[[str], list[float]]


@dataclass(eq=False)
class Lookup:
    """Terms of texts, and the weights that are added up for them.

    `rows` returns the rows of a text's terms, as often as each comes. Row n is that of
    column `columns[n]`; of column -1, nothing is added.
    """

    rows: Callable[[str], Columns]
    columns: Columns
    weights: list[Array] = field(default_factory=list)
    worths: list[Worth] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Keep the last text's sums: each model asks for them in turn."""
        self._last = lru_cache(1)(self._sums)
        self._table: Array | None = None

    def sums(self, weights: Array, worth: Worth) -> Sums:
        """Return a function to the sums of `weights` (width, classes) of a text."""
        start = sum(each.shape[1] for each in self.weights)
        at = slice(start, start + weights.shape[1])
        self.weights.append(weights)
        if worth not in self.worths:
            self.worths.append(worth)
        of_worth = self.worths.index(worth)
        self._table = None
        return lambda text: self._last(text)[of_worth][at]

    def _sums(self, text: str) -> list[list[float]]:
        """Return one row of sums for each of the worths."""
        if self._table is None:
            weights = np.hstack(self.weights)
            nothing = np.zeros((1, weights.shape[1]))
            self._table = np.vstack([weights, nothing]).take(self.columns, axis=0)
            self._usual = self._growth(USUAL)
        rows = self.rows(text)
        rows.sort()
        is_again = rows[1:] == rows[:-1]
        many, of_terms = len(rows), self._table.take(rows, axis=0)
        if not np.count_nonzero(is_again):
            each = ONES[:many] if many <= USUAL else np.ones(many)
            return [(each @ of_terms).tolist()] * len(self.worths)
        growth = self._usual if many <= USUAL else self._growth(many)
        sums: list[list[float]] = (
            growth.take(_times_before(is_again), axis=1) @ of_terms
        ).tolist()
        return sums

    def _growth(self, many: int) -> Array:
        """Return what each of `many` occurrences is worth more than those before."""
        counts = np.arange(1.0, many + 1)
        worths = np.array([worth(counts) for worth in self.worths])
        return np.diff(worths, axis=1, prepend=0.0)


def _times_before(is_again: npt.NDArray[np.bool_]) -> Columns:
    """Return how often each row of sorted ones came before.

    `is_again` says of each but the first whether it is the one before.
    """
    many = len(is_again) + 1
    at = NUMBERS[:many] if many <= USUAL else np.arange(many)
    first = at.copy()
    first[1:][is_again] = 0
    return at - np.maximum.accumulate(first, out=first)


def lookup(step: Any, texts: Texts) -> Lookup:
    """Return what looks the terms of `step` up, the same one for the same terms."""
    for other, found in texts.shared:
        if _has_same_terms(step, other):
            known: Lookup = found
            return known
    new = _lookup(step, texts.prepare)
    texts.shared.append((step, new))
    return new


def _has_same_terms(step: Any, other: Any) -> bool:
    """Return whether two steps cut and number terms alike; only if it is simple."""
    return (
        callable(step.analyzer)
        and step.analyzer is other.analyzer
        and step.vocabulary_ == other.vocabulary_
    )


def _lookup(step: Any, prepare: Prepare) -> Lookup:
    trie = Trie.of(step)
    if trie is not None:
        preprocess, states = step.build_preprocessor(), trie.states
        return Lookup(lambda text: states(preprocess(prepare(text))), trie.columns)
    found = places(step, prepare, step.vocabulary_.get)

    def rows(text: str) -> Columns:
        return np.array(found(text), dtype=np.intp)

    return Lookup(rows, np.arange(len(step.vocabulary_)))


def as_often(counts: Array) -> Array:
    """Count a term as often as it comes."""
    return counts


def once(counts: Array) -> Array:
    """Count a term that comes, however often."""
    return np.ones(len(counts))
