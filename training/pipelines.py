"""The unfitted pipelines of the model versions; MODEL_CARD.md says how v2 was found."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources

from sklearn.base import ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import FeatureUnion, Pipeline

from predictor.features import (
    LexiconScores,
    Shape,
    Spelling,
    body,
    negation_ngrams,
    tokens,
)
from predictor.outside import WithOutside
from training.changes import greeted
from training.dataset import OUTSIDE_DATA, OUTSIDE_INTENTS, Utterance, read, split

FOLDS = 5


def v1() -> Pipeline:
    """Build the tutorial's kind of pipeline: naive Bayes on word counts, calibrated."""
    return Pipeline(
        [("words", CountVectorizer()), ("classify", _calibrated(MultinomialNB()))]
    )


def v2() -> Pipeline:
    """Build a soft vote, two to one, of a linear model and naive Bayes.

    It corrects spelling first, and knows texts that are none of the intents.
    """
    vote = VotingClassifier(
        [("linear", linear()), ("bayes", bayes())], voting="soft", weights=(2, 1)
    )
    return Pipeline(
        [("spelling", Spelling()), ("classify", WithOutside(_calibrated(vote)))]
    )


def linear() -> Pipeline:
    """Build logistic regression on words, character n-grams, lexicon and shape."""
    words = TfidfVectorizer(analyzer=negation_ngrams, sublinear_tf=True)
    characters = TfidfVectorizer(
        preprocessor=body,
        analyzer="char_wb",
        ngram_range=(2, 5),
        min_df=2,
        norm="l1",  # what a word adds is the same in every text
    )
    features = FeatureUnion(
        [
            ("words", words),
            ("characters", characters),
            ("lexicon", LexiconScores(vader_valences())),
            ("shape", Shape()),
        ],
        transformer_weights={"characters": 7},
    )
    model = LogisticRegression(C=10, max_iter=3000, class_weight="balanced")
    return Pipeline([("features", features), ("classify", model)])


def bayes() -> Pipeline:
    """Build naive Bayes on the presence of words and pairs of words, with negation."""
    words = CountVectorizer(analyzer=negation_ngrams, binary=True)
    return Pipeline([("words", words), ("classify", MultinomialNB(alpha=0.3))])


def vader_valences() -> dict[str, float]:
    """Return VADER's valence of each word and emoji (Hutto & Gilbert 2014, MIT).

    An emoji has the mean of the words that describe it.
    """
    words = {
        word: float(valence)
        for word, valence in _vader("vader_lexicon.txt")
        if tokens(word) == (word,)
    }
    emojis = {}
    for emoji, described in _vader("emoji_utf8_lexicon.txt"):
        known = [words[word] for word in described.split() if word in words]
        if known and len(tokens(emoji)) == 1:
            emojis[emoji] = sum(known) / len(known)
    return words | emojis


def _vader(name: str) -> Iterator[tuple[str, str]]:
    """Yield the first two fields of each line of one of the package's files."""
    text = resources.files("vaderSentiment").joinpath(name).read_text(encoding="utf-8")
    for line in text.splitlines():
        entry, value, *_ = line.split("\t")
        yield entry, value


def _calibrated(classifier: ClassifierMixin) -> CalibratedClassifierCV:
    """Calibrate by one temperature, fitted on folds; labels do not change."""
    return CalibratedClassifierCV(
        classifier, method="temperature", cv=FOLDS, ensemble=False
    )


@dataclass(frozen=True, slots=True)
class Recipe:
    """An unfitted pipeline, and the rows that it is fitted on besides those given."""

    build: Callable[[], Pipeline]
    more: Callable[[Sequence[Utterance]], list[Utterance]]


def _none(rows: Sequence[Utterance]) -> list[Utterance]:
    del rows
    return []


def _greeted_and_outside(rows: Sequence[Utterance]) -> list[Utterance]:
    outside, _ = split(read(OUTSIDE_DATA, OUTSIDE_INTENTS))
    return greeted(rows) + outside


VERSIONS = {"v1": Recipe(v1, _none), "v2": Recipe(v2, _greeted_and_outside)}
