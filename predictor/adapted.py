"""A pipeline of one's own under the names and the input that the predictor has."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


class Adapted:
    """Answers texts by a pipeline that takes a DataFrame, or knows labels by code.

    It is pickled with the pipeline by `python -m training.package`.
    """

    def __init__(self, inner: Any, labels: Sequence[str], column: str | None) -> None:
        """Name the classes of `inner`, in its order; `column` holds the texts."""
        self.inner, self.column = inner, column
        self.classes_ = np.array(labels, dtype=object)

    def predict_proba(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Return class probabilities, (n, classes)."""
        rows: npt.NDArray[np.float64] = self.inner.predict_proba(self.given(texts))
        return rows

    def given(self, texts: Sequence[str]) -> Any:
        """Return texts in the form that `inner` takes."""
        if self.column is None:
            return list(texts)
        import pandas  # half a second, for a few pipelines

        return pandas.DataFrame({self.column: list(texts)})
