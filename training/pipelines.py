"""The pipelines of the model versions, unfitted. How v2 was found: MODEL_CARD.md."""

from collections.abc import Callable
from importlib import resources

from sklearn.base import ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import FeatureUnion, Pipeline

from predictor.features import LexiconScores, Shape, negation_ngrams, tokens

FOLDS = 5


def v1() -> Pipeline:
    """The tutorial's kind: word counts and naive Bayes, one temperature on top."""
    return Pipeline(
        [("words", CountVectorizer()), ("classify", _calibrated(MultinomialNB()))]
    )


def v2() -> Pipeline:
    """A linear model that sees much and a naive Bayes that sees words, two to one."""
    vote = VotingClassifier(
        [("linear", linear()), ("bayes", bayes())], voting="soft", weights=(2, 1)
    )
    return Pipeline([("classify", _calibrated(vote))])


def linear() -> Pipeline:
    """Words that know of negation, parts of words, a sentiment lexicon, the shape."""
    words = TfidfVectorizer(analyzer=negation_ngrams, sublinear_tf=True)
    characters = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, min_df=2
    )
    features = FeatureUnion(
        [
            ("words", words),
            ("characters", characters),
            ("lexicon", LexiconScores(vader_valences())),
            ("shape", Shape()),
        ]
    )
    model = LogisticRegression(C=10, max_iter=3000, class_weight="balanced")
    return Pipeline([("features", features), ("classify", model)])


def bayes() -> Pipeline:
    """Which words and pairs of words there are, with negation."""
    words = CountVectorizer(analyzer=negation_ngrams, binary=True)
    return Pipeline([("words", words), ("classify", MultinomialNB(alpha=0.3))])


def vader_valences() -> dict[str, float]:
    """Valence of each single word in VADER's lexicon (Hutto & Gilbert 2014, MIT)."""
    lexicon = resources.files("vaderSentiment").joinpath("vader_lexicon.txt")
    entries = (
        line.split("\t") for line in lexicon.read_text(encoding="utf-8").splitlines()
    )
    return {
        word: float(valence) for word, valence, *_ in entries if tokens(word) == (word,)
    }


def _calibrated(classifier: ClassifierMixin) -> CalibratedClassifierCV:
    """One temperature, fitted on folds: confidences become honest, labels stay."""
    return CalibratedClassifierCV(
        classifier, method="temperature", cv=FOLDS, ensemble=False
    )


VERSIONS: dict[str, Callable[[], Pipeline]] = {"v1": v1, "v2": v2}
