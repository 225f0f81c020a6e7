"""What compiled steps hand to each other: prepared text, features, weighted features.

One text is answered by Python's numbers, many at once by arrays. Of many, first all is
read of each text in turn (steps that read the same text keep what the last one found),
and then all that was read is weighed together.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

Array = npt.NDArray[np.float64]
Columns = npt.NDArray[np.intp]
Row = Sequence[float]
Rows = Callable[[str], Iterable[Row]]
Prepare = Callable[[str], str]
Read = Callable[[str], Any]
# By reader, what it found in each text; and what several steps make of that.
Found = dict[Any, Any]


class UnknownStep(Exception):
    """The pipeline has a step, or a step has an option, that is not compiled."""


class Part(NamedTuple):
    """What is read of each of many texts, and made of it: [texts, classes]."""

    read: Read
    weigh: Callable[[Found], Array]


class Weighed(NamedTuple):
    """Features times weights: a sum of rows of one text, of parts of many texts."""

    rows: Rows
    parts: Sequence[Part]


@dataclass(frozen=True, slots=True)
class Features:
    """A fitted transformer of texts to `width` columns.

    `vector` returns a text's columns, each once, and the values in them. `fold` takes
    the model's weights (width, classes) and returns their products with the features.
    """

    width: int
    vector: Callable[[str], tuple[Columns, Array]]
    fold: Callable[[Array], Weighed]

    @classmethod
    def of(
        cls, width: int, vector: Callable[[str], tuple[Columns, Array]]
    ) -> "Features":
        """Return features whose rows are one product of values and weights."""

        def fold(weights: Array) -> Weighed:
            def rows(text: str) -> Iterable[Row]:
                at, values = vector(text)
                return [(values @ weights.take(at, axis=0)).tolist()] if len(at) else ()

            def weigh(found: Found) -> Array:
                columns, values = zip(*found[vector], strict=True)
                counts = list(map(len, columns))
                flat = np.concatenate(columns), np.concatenate(values)
                return product(*flat, counts, weights)

            return Weighed(rows, [Part(vector, weigh)])

        return cls(width, vector, fold)


def product(
    columns: Columns, values: Array, counts: Sequence[int] | Columns, weights: Array
) -> Array:
    """Return the sums of `values` times rows of `weights`, `counts[n]` for text n."""
    ends = np.zeros(len(counts) + 1, dtype=np.intp)
    np.cumsum(counts, out=ends[1:])
    shape = (len(counts), len(weights))
    sums: Array = csr_array((values, columns, ends), shape=shape) @ weights
    return sums


def as_it_is(text: str) -> str:
    """Return the text: nothing stands before the vectorizer."""
    return text


@dataclass(eq=False, frozen=True, slots=True)
class Texts:
    """What stands before a vectorizer, and what vectorizers of one kind share.

    `words` are those that the pipeline knows: texts are mostly made of them.
    """

    prepare: Prepare = as_it_is
    words: Sequence[str] = ()
    shared: list[tuple[Any, Any]] = field(default_factory=list)


# What a step gets: texts, or the features of the steps before.
Source = Features | Texts


def floats(values: Any) -> Array:
    """Return 64-bit floats as they are. Raises UnknownStep for other numbers.

    scikit-learn computes with 32-bit floats where a model has them, and rounds
    otherwise than 64-bit floats do.
    """
    dense = values.toarray() if hasattr(values, "toarray") else np.asarray(values)
    if dense.dtype != np.float64:
        raise UnknownStep(f"a step with {dense.dtype} numbers")
    return np.ascontiguousarray(dense)
