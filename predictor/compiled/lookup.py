"""Adds up the weights of a text's terms for every model that reads the same terms.

A term that comes n times counts f(n) times its weights: as often as it comes, once, or
1 + log n. All weights stand beside each other in one table, so that the terms of a text
are looked up once, and its rows are added by one product.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from predictor.compiled.occurrences import Listed, Occurrences, Tried
from predictor.compiled.pieces import pieces
from predictor.compiled.steps import Array, Columns, Found, Read, Texts, product
from predictor.compiled.trie import Trie

USUAL = 1024  # terms of a text
NUMBERS, ONES = np.arange(USUAL), np.ones(USUAL)

# From counts to what they are worth; one is worth 1.
Worth = Callable[[Array], Array]


class Sums(NamedTuple):
    """The weights that the terms of one text, or of each of many, add up to."""

    of_text: Callable[[str], list[float]]
    of_texts: Callable[[Found], Array]


@dataclass(eq=False)
class Lookup:
    """Terms of texts, and the weights that are added up for them.

    All weights are given before the first text is asked for: a table is made then.
    """

    terms: Occurrences
    weights: list[Array] = field(default_factory=list)
    worths: list[Worth] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Keep the last text's sums: each model asks for them in turn."""
        self.read: Read = self.terms.read
        self._last = lru_cache(1)(self._sums)

    def sums(self, weights: Array, worth: Worth) -> Sums:
        """Return what adds up `weights` (width, classes)."""
        start = sum(each.shape[1] for each in self.weights)
        at = slice(start, start + weights.shape[1])
        self.weights.append(weights)
        if worth not in self.worths:
            self.worths.append(worth)
        of_worth = self.worths.index(worth)

        def of_texts(found: Found) -> Array:
            if self not in found:
                found[self] = self._sums_of_many(found[self.read])
            sums: Array = found[self][of_worth][:, at]
            return sums

        return Sums(lambda text: self._last(text)[of_worth][at], of_texts)

    @cached_property
    def _table(self) -> Array:
        return self.terms.table(np.hstack(self.weights))

    @cached_property
    def _usual(self) -> Array:
        return self._growth(USUAL)

    @cached_property
    def _is_plain(self) -> bool:
        return self.worths == [as_often]

    def _sums(self, text: str) -> list[list[float]]:
        """Return one row of sums for each of the worths."""
        found = self.terms.rows(self.read(text))
        many = len(found)
        rows = np.asarray(found, dtype=np.intp)
        if self._is_plain or (isinstance(found, list) and len(set(found)) == many):
            return self._sums_of_different(rows)
        rows = np.sort(rows)
        is_again = rows[1:] == rows[:-1]
        if not np.count_nonzero(is_again):
            return self._sums_of_different(rows)
        growth = self._usual if many <= USUAL else self._growth(many)
        sums: list[list[float]] = (
            growth.take(_times_before(is_again), axis=1)
            @ self._table.take(rows, axis=0)
        ).tolist()
        return sums

    def _sums_of_different(self, rows: Columns) -> list[list[float]]:
        """Return the sums where each occurrence counts as the first one."""
        many = len(rows)
        each = ONES[:many] if many <= USUAL else np.ones(many)
        return [(each @ self._table.take(rows, axis=0)).tolist()] * len(self.worths)

    def _sums_of_many(self, found: Sequence[Any]) -> list[Array]:
        """Return [texts, weights] for each of the worths."""
        texts, rows = self.terms.of_many(found)
        times = np.zeros(len(rows), dtype=np.intp)
        if not self._is_plain and len(rows):
            keys = np.sort(texts * len(self._table) + rows)
            texts, rows = np.divmod(keys, len(self._table))
            times = _times_before(keys[1:] == keys[:-1])
        growth = self._growth(int(times.max(initial=0)) + 1)
        counts = np.bincount(texts, minlength=len(found)).tolist()
        return [
            product(rows, values.take(times), counts, self._table) for values in growth
        ]

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


def lookup(step: Any, texts: Texts, *, adds_up: bool) -> Lookup:
    """Return what looks the terms of `step` up, the same one for the same terms.

    `adds_up`: every occurrence of a term is worth the same.
    """
    for other, found in texts.shared:
        if _has_same_terms(step, other):
            known: Lookup = found
            return known
    new = Lookup(_occurrences(step, texts, adds_up=adds_up))
    texts.shared.append((step, new))
    return new


def _has_same_terms(step: Any, other: Any) -> bool:
    """Return whether two steps cut and number terms alike; only if it is simple."""
    return (
        callable(step.analyzer)
        and step.analyzer is other.analyzer
        and step.vocabulary_ == other.vocabulary_
    )


def _occurrences(step: Any, texts: Texts, *, adds_up: bool) -> Occurrences:
    if adds_up and step.analyzer == "char_wb":
        return pieces(step, texts)
    trie = Trie.of(step)
    if trie is None:
        return Listed.of(step, texts.prepare)
    return Tried(step.build_preprocessor(), texts.prepare, trie)


def as_often(counts: Array) -> Array:
    """Count a term as often as it comes."""
    return counts


def once(counts: Array) -> Array:
    """Count a term that comes, however often."""
    return np.ones(len(counts))
