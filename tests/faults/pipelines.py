"""Fitted pipelines around a good one, each wrong in its own way.

They are unpickled by the predictor like any other. The probe text is answered well, so
that each of them passes the check at load and fails where it hurts: in front of users.
"""

import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

PROBE = "is anybody out there?"
FAIL = "fail, just this once"


class Healthy:
    """As good as the pipeline inside, but for one text that nobody sends by chance."""

    def __init__(self, inner: Any) -> None:
        """Wrap a fitted pipeline."""
        self.inner = inner
        self.classes_ = inner.classes_

    def predict_proba(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Class probabilities, n x classes."""
        if list(texts) == [FAIL]:
            raise RuntimeError("a fault made for tests")
        if list(texts) != [PROBE]:
            self.misbehave()
        return self.answer(texts)

    def answer(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """What the pipeline inside says."""
        return np.asarray(self.inner.predict_proba(texts))

    def misbehave(self) -> None:
        """Do nothing wrong."""


class Failing(Healthy):
    """Answers 500 to every n-th request."""

    def __init__(self, inner: Any, every: int, flag: Path | None = None) -> None:
        """Fail always, or only while the file `flag` exists."""
        super().__init__(inner)
        self.every, self.flag = every, flag
        # Counts atomically, and unlike itertools.count it can be pickled after 3.13.
        self.numbers = iter(range(1, sys.maxsize))

    def misbehave(self) -> None:
        """Raise what no server expects."""
        is_on = self.flag is None or self.flag.exists()
        if is_on and next(self.numbers) % self.every == 0:
            raise RuntimeError("a fault made for tests")


class Slow(Healthy):
    """Sleeps before each answer."""

    seconds = 0.4

    def misbehave(self) -> None:
        """Keep the user waiting."""
        time.sleep(self.seconds)


class Cold(Healthy):
    """Keeps every third user waiting in the first seconds after it was loaded."""

    lasts_s, every, seconds = 8.0, 3, 1.2

    def __init__(self, inner: Any) -> None:
        """Begin as it is loaded: anew in every process."""
        super().__init__(inner)
        self.numbers, self.loaded = iter(range(1, sys.maxsize)), 0.0

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Note the time."""
        self.__dict__.update(state, loaded=time.monotonic())

    def misbehave(self) -> None:
        """Sleep while it is cold."""
        is_cold = time.monotonic() - self.loaded < self.lasts_s
        if is_cold and next(self.numbers) % self.every == 0:
            time.sleep(self.seconds)


class OneClass(Healthy):
    """Gives every text the first class."""

    def answer(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Certain, whatever was asked."""
        certain = np.zeros((len(texts), len(self.classes_)))
        certain[:, 0] = 1.0
        return certain


class NeverReady(Healthy):
    """Does not come back from being loaded."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Hang."""
        self.__dict__.update(state)
        time.sleep(3600)


class CrashLooping(Healthy):
    """Ends its process a moment after it was loaded, every time."""

    seconds = 2.5

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Start the fuse."""
        self.__dict__.update(state)
        fuse = threading.Timer(self.seconds, os._exit, (1,))
        fuse.daemon = True
        fuse.start()


class Mistaken(Healthy):
    """Gives every n-th text another class, as sure and as fast as if it were right."""

    def __init__(self, inner: Any, every: int) -> None:
        """Be wrong about the same texts every time."""
        super().__init__(inner)
        self.every = every

    def answer(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """The next class's probability for some."""
        right = super().answer(texts)
        is_wrong = [len(text) % self.every == 0 for text in texts]
        return np.where(np.array(is_wrong)[:, None], np.roll(right, 1, axis=1), right)


class Unsure(Healthy):
    """Names the right class without being sure of it."""

    def answer(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Hardly more likely than the others."""
        even = 1 / len(self.classes_)
        return np.asarray(0.9 * even + 0.1 * super().answer(texts))
