"""Chose v2 by nested cross-validation on the training texts, with domains held out.

python -m training.select

Outer folds hold out whole domains, so that a candidate is scored on kinds of text that
it has not seen; the inner folds choose its parameters on the outer training part only.
A run takes about ten minutes on two cores; MODEL_CARD.md has the result.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.ensemble import VotingClassifier
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV, GroupKFold

from training import dataset
from training.pipelines import bayes, linear, v1

OUTER, INNER = 5, 3
LINEAR_C = [3, 10, 30]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pipeline and the parameters that the inner folds may choose."""

    name: str
    pipeline: ClassifierMixin
    grid: Mapping[str, list[Any]]


def candidates() -> list[Candidate]:
    """Return the candidates, from the tutorial's pipeline to v2."""
    words = linear()
    words.steps[0][1].set_params(lexicon="drop", shape="drop")
    vote = VotingClassifier([("linear", linear()), ("bayes", bayes())], voting="soft")
    return [
        Candidate("naive Bayes on words (v1)", v1(), {}),
        Candidate(
            "naive Bayes, negation", bayes(), {"classify__alpha": [0.1, 0.3, 1.0]}
        ),
        Candidate("linear, words and characters", words, {"classify__C": LINEAR_C}),
        Candidate("  and lexicon, shape", linear(), {"classify__C": LINEAR_C}),
        Candidate(
            "  and naive Bayes (v2)", vote, {"weights": [(1, 1), (2, 1), (3, 1)]}
        ),
    ]


def nested_f1(candidate: Candidate, rows: list[dataset.Utterance]) -> np.ndarray:
    """Return the macro-F1 on each outer fold, shape [OUTER]."""
    texts = np.array([row.text for row in rows], dtype=object)
    intents = np.array([row.intent for row in rows])
    domains = np.array([row.domain for row in rows])
    scores = []
    for fit, test in GroupKFold(OUTER).split(texts, intents, domains):
        search = GridSearchCV(
            candidate.pipeline,
            dict(candidate.grid),
            scoring="f1_macro",
            cv=GroupKFold(INNER),
            n_jobs=2,
        )
        search.fit(texts[fit], intents[fit], groups=domains[fit])
        predicted = search.predict(texts[test])
        scores.append(f1_score(intents[test], predicted, average="macro"))
    return np.array(scores)


def main() -> None:
    """Print one line per candidate."""
    rows, _ = dataset.split(dataset.read(dataset.DATA))
    print(f"{'candidate':34}{'macro-F1 on held-out domains':>30}")
    for candidate in candidates():
        folds = nested_f1(candidate, rows)
        each = " ".join(f"{score:.3f}" for score in folds)
        print(f"{candidate.name:34}{folds.mean():>8.3f}   ({each})", flush=True)


if __name__ == "__main__":
    main()
