"""The unfitted pipelines of the model versions; MODEL_CARD.md says how v2 was found."""

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
    """Build the tutorial's kind of pipeline: naive Bayes on word counts, calibrated."""
    return Pipeline(
        [("words", CountVectorizer()), ("classify", _calibrated(MultinomialNB()))]
    )


def v2() -> Pipeline:
    """Build a soft vote, two to one, of a linear model and naive Bayes."""
    vote = VotingClassifier(
        [("linear", linear()), ("bayes", bayes())], voting="soft", weights=(2, 1)
    )
    return Pipeline([("classify", _calibrated(vote))])


def linear() -> Pipeline:
    """Build logistic regression on words, character n-grams, lexicon and shape."""
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
    """Build naive Bayes on the presence of words and pairs of words, with negation."""
    words = CountVectorizer(analyzer=negation_ngrams, binary=True)
    return Pipeline([("words", words), ("classify", MultinomialNB(alpha=0.3))])


def vader_valences() -> dict[str, float]:
    """Return the valence of each word in VADER (Hutto & Gilbert 2014, MIT)."""
    lexicon = resources.files("vaderSentiment").joinpath("vader_lexicon.txt")
    entries = (
        line.split("\t") for line in lexicon.read_text(encoding="utf-8").splitlines()
    )
    return {
        word: float(valence) for word, valence, *_ in entries if tokens(word) == (word,)
    }


def _calibrated(classifier: ClassifierMixin) -> CalibratedClassifierCV:
    """Calibrate by one temperature, fitted on folds; labels do not change."""
    return CalibratedClassifierCV(
        classifier, method="temperature", cv=FOLDS, ensemble=False
    )


VERSIONS: dict[str, Callable[[], Pipeline]] = {"v1": v1, "v2": v2}
