"""Pipelines of strangers: other labels, other languages, two classes, other models."""

from sklearn.calibration import CalibratedClassifierCV
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import ComplementNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.svm import LinearSVC


def spam() -> Pipeline:
    """Two classes, as numbers: naive Bayes on weighted counts."""
    texts = ["win money now", "free prize, click", "lunch at noon?", "see you at home"]
    steps = CountVectorizer(ngram_range=(1, 2)), TfidfTransformer(), ComplementNB()
    return make_pipeline(*steps).fit(texts * 6, [1, 1, 0, 0] * 6)


def german() -> Pipeline:
    """Three classes in German, by logistic regression on characters."""
    texts = ["guten Morgen", "grüß Gott", "wo bleibt mein Paket?", "wann kommt es?"]
    texts += ["das ist kaputt", "so ein schlechter Dienst"]
    labels = ["Gruß", "Gruß", "Frage", "Frage", "Beschwerde", "Beschwerde"]
    words = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 4), strip_accents="ascii"
    )
    return make_pipeline(words, LogisticRegression()).fit(texts * 6, labels * 6)


def topics() -> Pipeline:
    """Four topics, by calibrated support vectors on hashed words."""
    texts = ["the match ended in a draw", "she scored twice", "shares fell again"]
    texts += ["the bank raised rates", "rain all day", "a storm from the west"]
    texts += ["a new film by the sea", "the band plays tonight"]
    labels = ["sport", "sport", "money", "money", "weather", "weather", "arts", "arts"]
    model = CalibratedClassifierCV(LinearSVC(), cv=3)
    hashed = HashingVectorizer(n_features=2**14)
    return make_pipeline(hashed, model).fit(texts * 6, labels * 6)


OWN = (spam, german, topics)
