"""Draws whole text pipelines, as people combine scikit-learn's parts."""

import html
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.feature_selection import SelectKBest, VarianceThreshold, f_classif
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import ComplementNB, MultinomialNB
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    Normalizer,
    StandardScaler,
)
from sklearn.svm import LinearSVC

WORDS = (
    *("hello", "Hi", "there", "why", "is", "my", "order", "late?", "thanks!", "bad"),
    *(
        "great",
        "not",
        "I",
        "a",
        "don't",
        "naïve",
        "café",
        "cafe\u0301",
        "ΟΔΟΣ",
        "Straße",
    ),
    *(
        "😀",
        "👨\u200d👩",
        "東京",
        "42",
        "x1_y",
        "<b>bold</b>",
        "&amp;",
        "so\u00b4so",
        "ﬁne",
    ),
    *(
        "\u0130zmir",
        "no\u00a0way",
        "e-mail",
        "u.s.",
        "sooo",
        "!!",
        "http://a.example/b",
    ),
)
BORDERS = (" ", "  ", "\n", "-", "'", "", ", ", "\t", "\u2003")


def texts() -> st.SearchStrategy[str]:
    """Messages with markup, emoji, combining marks, and words across borders."""
    pieces = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(BORDERS)))
    joined = pieces.map(lambda found: "".join(word + border for word, border in found))
    return st.one_of(joined, joined, joined.map(str.upper), st.text(max_size=30))


def corpus(labels: Sequence[Any]) -> tuple[list[str], list[Any]]:
    """Texts of every label, each with words of its own and shared ones."""
    chance = np.random.default_rng(5)
    found, own = [], []
    for _ in range(12):
        for at, label in enumerate(labels):
            mine = WORDS[at * 8 : at * 8 + 10]
            words = [*chance.choice(mine, 3), *chance.choice(WORDS, 2)]
            found.append(" ".join(words))
            own.append(label)
    return found, own


def without_markup(text: str) -> str:
    """Take tags away and unescape the rest, across words."""
    return re.sub(r"<[^>]*>", " ", html.unescape(text)).casefold()


def first_words(text: str) -> str:
    """Keep four words: a function of the text, not of its words."""
    return " ".join(text.split()[:4])


def by_spaces(text: str) -> list[str]:
    """Cut at spaces."""
    return text.split()


def lower_all(found: Sequence[str]) -> list[str]:
    """Lower each text."""
    return [text.lower() for text in found]


def lengths(found: Sequence[str]) -> list[list[float]]:
    """Measure each text: letters and words."""
    return [[len(text) / 10, len(text.split())] for text in found]


@st.composite
def vectorizers(draw: st.DrawFn) -> Any:
    """A Count-, Tfidf- or HashingVectorizer with any of the common options."""
    low = draw(st.integers(1, 3))
    kind = draw(st.sampled_from([CountVectorizer, TfidfVectorizer, HashingVectorizer]))
    options: dict[str, Any] = {
        "analyzer": draw(st.sampled_from(["word", "word", "char", "char_wb"])),
        "ngram_range": (low, low + draw(st.integers(0, 2))),
        "lowercase": draw(st.booleans()),
        "strip_accents": draw(st.sampled_from([None, "unicode", "ascii"])),
        "preprocessor": draw(
            st.sampled_from([None, None, without_markup, first_words])
        ),
        "binary": draw(st.booleans()),
    }
    if options["analyzer"] == "word":
        options |= draw(_words())
    if kind is HashingVectorizer:
        options |= draw(_hashing())
        return kind(**options)
    options["dtype"] = draw(st.sampled_from([*[None] * 11, np.float32]))
    options = {k: v for k, v in options.items() if k != "dtype" or v is not None}
    options["max_features"] = draw(st.sampled_from([None, None, 40]))
    if options["analyzer"] == "word" and draw(st.integers(0, 5)) == 0:
        options |= {
            "vocabulary": ["hello", "bad", "why", "a", "not"],
            "max_features": None,
        }
    if kind is TfidfVectorizer:
        options |= draw(_weights())
    return kind(**options)


@st.composite
def _words(draw: st.DrawFn) -> dict[str, Any]:
    if draw(st.booleans()):
        return {}
    return {
        "tokenizer": draw(st.sampled_from([None, None, by_spaces])),
        "token_pattern": draw(
            st.sampled_from([r"(?u)\b\w\w+\b", r"(?u)\b\w+\b", r"\S+"])
        ),
        "stop_words": draw(st.sampled_from([None, "english", ["hello", "is"]])),
    }


@st.composite
def _weights(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "norm": draw(st.sampled_from([None, "l1", "l2"])),
        "use_idf": draw(st.booleans()),
        "smooth_idf": draw(st.booleans()),
        "sublinear_tf": draw(st.booleans()),
    }


@st.composite
def _hashing(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "n_features": draw(st.sampled_from([16, 1000, 2**12])),
        "alternate_sign": draw(st.booleans()),
        "norm": draw(st.sampled_from([None, "l1", "l2"])),
    }


@st.composite
def features(draw: st.DrawFn) -> list[tuple[str, Any]]:
    """The steps before the classifier."""
    steps: list[tuple[str, Any]] = []
    if draw(st.integers(0, 4)) == 0:
        steps.append(("lower", FunctionTransformer(lower_all)))
    if draw(st.integers(0, 2)) == 0:
        parts = [("a", draw(vectorizers())), ("b", draw(vectorizers()))]
        if draw(st.booleans()):
            parts.append(("lengths", FunctionTransformer(lengths)))
        weights = draw(st.sampled_from([None, {"a": 0.5, "b": 2.0}]))
        steps.append(("union", FeatureUnion(parts, transformer_weights=weights)))
    else:
        steps.append(("words", draw(vectorizers())))
    between: Sequence[Callable[[], Any] | None] = (
        *(None, None, None, TfidfTransformer, MaxAbsScaler, Normalizer),
        *(VarianceThreshold, lambda: SelectKBest(f_classif, k=8)),
        lambda: StandardScaler(with_mean=False),
    )
    make = draw(st.sampled_from(between))
    return [*steps, ("between", make())] if make is not None else steps


@st.composite
def classifiers(draw: st.DrawFn, depth: int = 1) -> Any:
    """A classifier that gives probabilities."""
    simple: Sequence[Callable[[], Any]] = (
        *(MultinomialNB, ComplementNB, LogisticRegression),
        lambda: LogisticRegression(C=20, max_iter=40),
        lambda: SGDClassifier(loss="log_loss", max_iter=8, tol=None),
    )
    calibrated: Sequence[Any] = (
        *(LinearSVC(), LogisticRegression(), SGDClassifier(max_iter=8, tol=None)),
        *(MultinomialNB(), ComplementNB()),
    )
    kind = draw(st.sampled_from(["simple", "simple", "calibrated", "vote"]))
    if kind == "simple" or depth == 0:
        return draw(st.sampled_from(simple))()
    if kind == "calibrated":
        return CalibratedClassifierCV(
            draw(st.sampled_from(calibrated)),
            method=draw(
                st.sampled_from(["sigmoid", "sigmoid", "temperature", "isotonic"])
            ),
            cv=3,
            ensemble=draw(st.booleans()),
        )
    voters = [(name, draw(classifiers(depth=0))) for name in ("a", "b")]
    weights = draw(st.sampled_from([None, (2, 1)]))
    return VotingClassifier(voters, voting="soft", weights=weights)


LABELS: Sequence[Sequence[Any]] = (
    *(("no", "yes"), ("greeting", "question", "complaint", "praise")),
    *((0, 1), (3, 1, 2), (False, True)),
)


@st.composite
def fitted(draw: st.DrawFn) -> Pipeline | None:
    """A fitted pipeline, None where scikit-learn itself refuses the combination."""
    pipeline = Pipeline([*draw(features()), ("classify", draw(classifiers()))])
    found, labels = corpus(draw(st.sampled_from(LABELS)))
    try:
        pipeline.fit(found, labels)
        pipeline.predict_proba(["hello", ""])
    except ValueError:
        return None
    model = pipeline.steps[-1][1]
    if draw(st.integers(0, 9)) == 0 and hasattr(model, "sparsify"):
        model.sparsify()
    return pipeline
