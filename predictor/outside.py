"""A classifier that is unsure of texts that are none of its labels' kind."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone

OUTSIDE = "outside"


class WithOutside(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Fits one class more, and spreads its probability evenly over the labels.

    A text that is surely outside gets the same probability for every label; of one that
    is surely inside, nothing changes. `inner` must give probabilities.
    """

    def __init__(self, inner: Any) -> None:
        """Wrap an unfitted classifier."""
        self.inner = inner

    def fit(self, texts: Sequence[str], labels: Sequence[str]) -> "WithOutside":
        """Fit `inner` on texts of which some are labelled "outside"."""
        self.inner_ = clone(self.inner).fit(texts, labels)
        classes = np.asarray(self.inner_.classes_)
        self.classes_ = classes[classes != OUTSIDE]
        return self

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """Return the probability of each label, [texts, labels]."""
        found = np.asarray(self.inner_.predict_proba(texts))
        is_outside = np.asarray(self.inner_.classes_) == OUTSIDE
        spread = found[:, is_outside] / len(self.classes_)
        return np.asarray(found[:, ~is_outside] + spread)

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """Return the likeliest label of each text."""
        return np.asarray(self.classes_[self.predict_proba(texts).argmax(axis=1)])
