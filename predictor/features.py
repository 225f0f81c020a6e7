"""Text features that a pickled pipeline imports; the predictor's image needs them too.

Pure functions of one text, wrapped as scikit-learn transformers. Several steps of a
pipeline tokenise the same text in turn, so the last result is cached.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

START = "<s>"
NEGATED = "not_"
NEGATION_SCOPE = 3
TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d+|[^\w\s]")  # noqa: RUF001
SCOPE_ENDS = frozenset(".,;:!?()-")
TURNS = SCOPE_ENDS | {"but"}
NEGATIONS = frozenset(
    """not no never none nobody nothing neither nor nowhere hardly barely scarcely
    without cannot cant dont doesnt didnt isnt wasnt arent werent wont wouldnt couldnt
    shouldnt aint havent hasnt hadnt""".split()
)
STRONGER = """very really so extremely absolutely totally super incredibly completely
    utterly too highly truly most"""
WEAKER = "slightly somewhat kind kinda sort sorta little bit fairly barely hardly"
BOOSTS = dict.fromkeys(STRONGER.split(), 1.3) | dict.fromkeys(WEAKER.split(), 0.7)
FLIP = -0.74  # Hutto & Gilbert 2014 (VADER): how much of a valence a negation turns
SATURATION = 15.0  # the same paper: a valence sum s becomes s / sqrt(s^2 + 15)


@lru_cache(maxsize=1)
def tokens(text: str) -> tuple[str, ...]:
    """Return lower-cased words, numbers, and single punctuation marks or symbols."""
    return tuple(TOKEN.findall(text.lower()))


def is_negation(token: str) -> bool:
    """Return whether the token negates the words that follow."""
    return token in NEGATIONS or token[-3:] in ("n't", "n’t")  # noqa: RUF001


@lru_cache(maxsize=1)
def negation_ngrams(text: str) -> tuple[str, ...]:
    """Return uni- and bigrams with a start mark; negated words have a prefix."""
    marked, left = [START], 0
    for token in tokens(text):
        if token in TURNS:
            left = 0
            marked.append(token)
            continue
        marked.append(NEGATED + token if left else token)
        if is_negation(token):
            left = NEGATION_SCOPE
        elif left:
            left -= 1
    return (*marked, *[f"{a} {b}" for a, b in pairwise(marked)])


class LexiconScores(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Sums of word valences with negation and intensity: [n, 7], each within [-1, 1].

    Columns: total, positive, negative, last polar word, after the last "but", and the
    number of positive and of negative words (four and more count as one).
    """

    def __init__(self, valences: Mapping[str, float]) -> None:
        """Take the valence of each known word, negative to positive."""
        self.valences = valences

    def fit(self, texts: Sequence[str], labels: object = None) -> "LexiconScores":
        """Learn nothing; the lexicon is given."""
        del texts, labels
        return self

    def transform(self, texts: Iterable[str]) -> np.ndarray:
        """Score each text."""
        return np.array([self.scores(text) for text in texts])

    def scores(self, text: str) -> list[float]:
        """Return the columns of one text."""
        polar: list[float] = []
        tail, left, boost = 0.0, 0, 1.0
        for token in tokens(text):
            if token in SCOPE_ENDS:
                left, boost = 0, 1.0
                continue
            if token == "but":
                left, tail = 0, 0.0
            valence = boost * self.valences.get(token, 0.0) * (FLIP if left else 1.0)
            if valence:
                polar.append(valence)
                tail += valence
            if is_negation(token):
                left = NEGATION_SCOPE
            elif left:
                left -= 1
            boost = BOOSTS.get(token, 1.0)
        good = [valence for valence in polar if valence > 0]
        bad = [-valence for valence in polar if valence < 0]
        last = polar[-1] if polar else 0.0
        sums = (sum(polar), sum(good), sum(bad), last, tail)
        counts = [min(len(words), 4) / 4 for words in (good, bad)]
        return [total / math.sqrt(total**2 + SATURATION) for total in sums] + counts


class Shape(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Length and punctuation of a text: [n, 7]."""

    def fit(self, texts: Sequence[str], labels: object = None) -> "Shape":
        """Learn nothing."""
        del texts, labels
        return self

    def transform(self, texts: Iterable[str]) -> np.ndarray:
        """Measure each text."""
        return np.array([shape(text) for text in texts])


def shape(text: str) -> list[float]:
    """Return length and punctuation of one text, each between 0 and about 3."""
    length = len(tokens(text))
    flags = (
        text.rstrip().endswith("?"),
        "?" in text,
        "!" in text,
        length <= 2,
        length <= 5,
        length > 12,
    )
    return [math.log1p(length) / 3, *map(float, flags)]
