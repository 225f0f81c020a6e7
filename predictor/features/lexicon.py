"""Scores a text by the valences of its words."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from predictor.features.messages import message
from predictor.features.words import (
    NEGATION_SCOPE,
    SCOPE_ENDS,
    has_negation,
    is_negation,
    tokens,
)

STRONGER = """very really so extremely absolutely totally super incredibly completely
    utterly too highly truly most"""
WEAKER = "slightly somewhat kind kinda sort sorta little bit fairly barely hardly"
BOOSTS = dict.fromkeys(STRONGER.split(), 1.3) | dict.fromkeys(WEAKER.split(), 0.7)
FLIP = -0.74  # Hutto & Gilbert 2014 (VADER): how much of a valence a negation turns
SATURATION = 15.0  # the same paper: a valence sum s becomes s / sqrt(s^2 + 15)


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
        """Return the columns of one text's body."""
        said = message(text).body
        found = tokens(said)
        if self.valences.keys().isdisjoint(found):
            return [0.0] * 7
        turned = has_negation(said)
        polar, tail = self._turned(found) if turned else self._plain(found)
        good = [valence for valence in polar if valence > 0]
        bad = [-valence for valence in polar if valence < 0]
        last = polar[-1] if polar else 0.0
        sums = (sum(polar), sum(good), sum(bad), last, tail)
        counts = [min(len(words), 4) / 4 for words in (good, bad)]
        return [total / math.sqrt(total**2 + SATURATION) for total in sums] + counts

    def _plain(self, found: Sequence[str]) -> tuple[list[float], float]:
        """Return the polar words' valences, and their sum after the last "but".

        Of tokens none of which negates; most texts have no more than two polar words.
        """
        polar: list[float] = []
        tail, start = 0.0, 0
        if "but" in found:
            start = len(found) - 1 - found[::-1].index("but")
        for at, token in enumerate(found):
            valence = self.valences.get(token)
            if valence and token not in SCOPE_ENDS:
                valence *= BOOSTS.get(found[at - 1], 1.0) if at else 1.0
                polar.append(valence)
                if at >= start:
                    tail += valence
        return polar, tail

    def _turned(self, found: Sequence[str]) -> tuple[list[float], float]:
        """Return the same of tokens of which some negate those after them."""
        polar: list[float] = []
        tail, left, boost = 0.0, 0, 1.0
        for token in found:
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
        return polar, tail
