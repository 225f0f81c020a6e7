"""Leads misspelt words back to words that were seen at the fit."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from sklearn.base import BaseEstimator, TransformerMixin

WORD = re.compile(r"[^\W\d_]{5,}")  # of shorter ones too many are a letter apart
STRETCHED = re.compile(r"([^\W\d_])\1{2,}")


class Spelling(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Replaces an unknown word by the commonest known one that is an edit away.

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
        """Return the texts with their words corrected."""
        return [self.correct(text) for text in texts]

    def correct(self, text: str) -> str:
        """Return one text with its words corrected."""
        if all(map(self.known_.__contains__, WORD.findall(text.lower()))):
            return text
        return WORD.sub(self._corrected, text)

    def _corrected(self, match: "re.Match[str]") -> str:
        word = match[0].lower()
        if word in self.known_:
            return match[0]
        calm = STRETCHED.sub(r"\1\1", word)
        found = filter(None, map(self.nearest_.get, _deletes(calm)))
        return next(found, match[0])


def _deletes(word: str) -> list[str]:
    """Return the word, and what it is without each of its letters."""
    return [word, *(word[:at] + word[at + 1 :] for at in range(len(word)))]
