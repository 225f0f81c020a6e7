"""Where a vectorizer's terms come in texts: as rows of a table of their weights."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol

import numpy as np

from predictor.compiled.analysis import places
from predictor.compiled.steps import Array, Columns, Prepare
from predictor.compiled.trie import Trie


class Occurrences(Protocol):
    """Reads texts; makes rows of what was read, as often as each term comes."""

    def read(self, text: str) -> Any:
        """Return what is kept of a text."""

    def rows(self, found: Any) -> list[int] | Columns:
        """Return the rows of what was read of one text."""

    def of_many(self, found: Sequence[Any]) -> tuple[Columns, Columns]:
        """Return the rows of many texts, after the number of the text of each."""

    def table(self, weights: Array) -> Array:
        """Return the table of the weights of a vectorizer's columns."""


@dataclass(frozen=True, slots=True)
class Listed:
    """Terms that are cut out of a text and looked up.

    `read` returns their rows, `table` what stands in each row.
    """

    read: Callable[[str], list[int]]
    table: Callable[[Array], Array]

    @classmethod
    def of(cls, step: Any, prepare: Prepare) -> "Listed":
        """Read as a fitted vectorizer does: a row is a column."""
        read = places(step, prepare, step.vocabulary_.get)
        return cls(read, lambda weights: weights)

    def rows(self, found: list[int]) -> list[int]:
        """Return what was read."""
        return found

    def of_many(self, found: Sequence[list[int]]) -> tuple[Columns, Columns]:
        """Return all of them."""
        counts = list(map(len, found))
        every = np.fromiter(chain.from_iterable(found), np.intp, sum(counts))
        return np.repeat(np.arange(len(found)), counts), every


@dataclass(frozen=True, slots=True)
class Tried:
    """N-grams of words, found by a trie; the row of a state, or one of nothing."""

    preprocess: Prepare
    prepare: Prepare
    trie: Trie

    def read(self, text: str) -> str:
        """Return the text as the vectorizer cuts it."""
        return self.preprocess(self.prepare(text))

    def rows(self, found: str) -> Columns:
        """Return all states."""
        return self.trie.states(found)

    def of_many(self, found: Sequence[str]) -> tuple[Columns, Columns]:
        """Return the states that are n-grams."""
        return self.trie.of_many(found)

    def table(self, weights: Array) -> Array:
        """Return the weights of each state's n-gram."""
        nothing = np.zeros((1, weights.shape[1]))
        return np.vstack([weights, nothing]).take(self.trie.columns, axis=0)
