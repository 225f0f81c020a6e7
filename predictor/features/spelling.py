"""Leads misspelt words back to words that were seen at the fit."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import filterfalse

from sklearn.base import BaseEstimator, TransformerMixin

WORD = re.compile(r"[^\W\d_]{5,}")  # of shorter ones too many are a letter apart
ASCII_WORD = re.compile(r"[a-z]{5,}")  # the same, of lower-cased ASCII
STRETCHED = re.compile(r"([^\W\d_])\1{2,}")


class Spelling(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Lower-cases; replaces an unknown word by the commonest known one an edit away.

    Two words are an edit apart if they agree after at most one letter of each is left
    out (the symmetric deletes of SymSpell): a letter too many, too few, another, or
    two exchanged. Of a letter that is written three times and more, two are read.
    """

    def __init__(self, least_count: int = 2) -> None:
        """Correct only to words that came `least_count` times at the fit."""
        self.least_count = least_count

    def fit(self, texts: Sequence[str], labels: object = None) -> "Spelling":
        """Learn the words of the texts."""
        del labels
        words = Counter(word for text in texts for word in WORD.findall(text.lower()))
        ranked = sorted(words, key=lambda word: (-words[word], word))
        self.known_ = dict.fromkeys(ranked, True)
        self.nearest_: dict[str, str] = {}
        for word in ranked:
            if words[word] >= self.least_count:
                for rest in _deletes(word):
                    self.nearest_.setdefault(rest, word)
        return self

    def transform(self, texts: Iterable[str]) -> list[str]:
        """Return the texts in lower case, with their words corrected."""
        return [self.correct(text) for text in texts]

    def correct(self, text: str) -> str:
        """Return one text in lower case, with its words corrected."""
        lower = text.lower()
        words = (ASCII_WORD if lower.isascii() else WORD).findall(lower)
        nearest = {
            word: near
            for word in filterfalse(self.known_.__contains__, words)
            if (near := self._nearest(word))
        }
        if not nearest:
            return lower
        return WORD.sub(lambda match: nearest.get(match[0], match[0]), lower)

    def _nearest(self, word: str) -> str | None:
        """Return the known word that an unknown one is led back to."""
        calm = STRETCHED.sub(r"\1\1", word)
        return next(filter(None, map(self.nearest_.get, _deletes(calm))), None)


def _deletes(word: str) -> list[str]:
    """Return the word, and what it is without each of its letters."""
    return [word, *[word[:at] + word[at + 1 :] for at in range(len(word))]]
