"""What compiled steps hand to each other: prepared text, features, scores."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Columns = npt.NDArray[np.intp]
Row = Sequence[float]
Rows = Callable[[str], Iterable[Row]]
Score = Callable[[str], list[float]]
Prepare = Callable[[str], str]


class UnknownStep(Exception):
    """The pipeline has a step, or a step has an option, that is not compiled."""


@dataclass(frozen=True, slots=True)
class Features:
    """A fitted transformer of texts to `width` columns.

    `vector` returns a text's columns, each once, and the values in them. `fold` takes
    the model's weights (width, classes) and returns a function of a text: rows of
    `classes` numbers, whose sum these features add to each class.
    """

    width: int
    vector: Callable[[str], tuple[Columns, Array]]
    fold: Callable[[Array], Rows]

    @classmethod
    def of(
        cls, width: int, vector: Callable[[str], tuple[Columns, Array]]
    ) -> "Features":
        """Return features whose rows are one product of values and weights."""

        def fold(weights: Array) -> Rows:
            def rows(text: str) -> Iterable[Row]:
                at, values = vector(text)
                return [(values @ weights.take(at, axis=0)).tolist()] if len(at) else ()

            return rows

        return cls(width, vector, fold)


def as_it_is(text: str) -> str:
    """Return the text: nothing stands before the vectorizer."""
    return text


@dataclass(eq=False, frozen=True, slots=True)
class Texts:
    """What stands before a vectorizer, and what vectorizers of one kind share."""

    prepare: Prepare = as_it_is
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
