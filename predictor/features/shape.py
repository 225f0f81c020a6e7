"""Measures a text's length, punctuation and politeness."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from predictor.features.messages import message
from predictor.features.words import tokens


class Shape(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Length and punctuation of a text: [n, 9]."""

    def fit(self, texts: Sequence[str], labels: object = None) -> "Shape":
        """Learn nothing."""
        del texts, labels
        return self

    def transform(self, texts: Iterable[str]) -> np.ndarray:
        """Measure each text."""
        return np.array([shape(text) for text in texts])


def shape(text: str) -> list[float]:
    """Return length and punctuation of one text's body, each between 0 and about 3."""
    said = message(text)
    length, asked = len(tokens(said.body)), said.body.rstrip()
    return [
        math.log1p(length) / 3,
        asked.endswith("?"),
        "?" in asked,
        "!" in asked,
        length <= 2,
        length <= 5,
        length > 12,
        said.is_opened,
        said.is_closed,
    ]
