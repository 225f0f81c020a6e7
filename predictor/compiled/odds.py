"""Odds of classes, of one text or of many, and what classifiers make of them.

Each function takes a column for each class, a number of one text or an array of many
texts', and how such columns are computed with. Odds are no probabilities yet: the
division by their sum comes last.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import mul, truediv
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit

from predictor.compiled.steps import Array, Features, Found, Read, floats

Column = Any  # a float, or an array


class Numbers(NamedTuple):
    """What Python's functions do to a column, and NumPy's to another."""

    exp: Callable[[Column], Column]
    expit: Callable[[Column], Column]
    largest: Callable[[Sequence[Column]], Column]
    where: Callable[[Column, Column, Column], Column]


Change = Callable[[list[Column], Numbers], list[Column]]


@dataclass(frozen=True, slots=True)
class Odds:
    """A column for each class: of one text, or of what `reads` found in many."""

    one: Callable[[str], list[float]]
    reads: Sequence[Read]
    many: Callable[[Found], list[Array]]

    def then(self, change: Change) -> "Odds":
        """Return what `change` makes of these odds."""
        one, many = self.one, self.many
        return Odds(
            lambda text: change(one(text), FLOATS),
            self.reads,
            lambda found: change(many(found), ARRAYS),
        )


def sums(source: Features, weights: Any, bias: Any) -> Odds:
    """Return `bias` plus the weighted features, class by class.

    `weights` are (classes, width), `bias` is one number or (classes).
    """
    table = floats(weights)
    rows, parts = source.fold(np.ascontiguousarray(table.T))
    each = np.broadcast_to(bias, len(table))
    start = tuple(each.tolist())

    def one(text: str) -> list[float]:
        return list(map(sum, zip(start, *rows(text), strict=True)))

    def many(found: Found) -> list[Array]:
        total = each + sum(part.weigh(found) for part in parts)
        return list(np.ascontiguousarray(total.T))

    return Odds(one, [part.read for part in parts], many)


def mean(parts: Sequence[Odds], weights: Sequence[float] | None = None) -> Odds:
    """Return odds of the weighted mean of probabilities."""
    if len(parts) == 1:
        return parts[0]
    given = [float(weight) for weight in weights or (1,) * len(parts)]

    def voted(each: list[list[Column]]) -> list[Column]:
        shares = list(map(truediv, given, map(sum, each)))
        columns = zip(*each, strict=True)
        return [sum(map(mul, shares, column)) for column in columns]

    return Odds(
        lambda text: voted([part.one(text) for part in parts]),
        [read for part in parts for read in part.reads],
        lambda found: voted([part.many(found) for part in parts]),
    )


def normalized(values: list[Column], numbers: Numbers) -> list[Column]:
    """Return probabilities."""
    del numbers
    total = sum(values)
    return [value / total for value in values]


def softmax(values: list[Column], numbers: Numbers) -> list[Column]:
    """Return exponentials, of which the largest is 1."""
    exp, top = numbers.exp, numbers.largest(values)
    return [exp(value - top) for value in values]


def one_against_rest(values: list[Column], numbers: Numbers) -> list[Column]:
    """Return each class's logistic share."""
    return of_both([numbers.expit(value) for value in values])


def of_both(shares: list[Column]) -> list[Column]:
    """Return a share for each class, where one of two says both."""
    return [1 - shares[0], shares[0]] if len(shares) == 1 else shares


def sides(margins: list[Column]) -> list[Column]:
    """Return a margin for each class, where one of two says both."""
    return [-margins[0], margins[0]] if len(margins) == 1 else margins


def or_even(shares: list[Column], numbers: Numbers) -> list[Column]:
    """Return shares, even ones where all of them vanish."""
    total = sum(shares)
    return [numbers.where(total != 0, share, 1.0) for share in shares]


def _expit(value: float) -> float:
    """Return the logistic function, at any value without an overflow."""
    if value >= 0:
        return 1 / (1 + math.exp(-value))
    odds = math.exp(value)
    return odds / (1 + odds)


def _largest(columns: Sequence[Array]) -> Array:
    largest: Array = np.maximum.reduce(columns)
    return largest


FLOATS = Numbers(
    math.exp, _expit, max, lambda is_so, one, other: one if is_so else other
)
ARRAYS = Numbers(np.exp, expit, _largest, np.where)
