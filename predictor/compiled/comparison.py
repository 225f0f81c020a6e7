"""Compares a compiled pipeline with the pipeline, on texts made of its own words."""

import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from predictor.compiled.classifiers import Compiled
from predictor.compiled.steps import Array
from predictor.compiled.vocabulary import vocabulary

TOLERANCE = 1e-12
PROBES = (
    "",
    " ",
    "Hello!",
    "where is my order, it isn't here yet?",
    "I do not like this AT ALL, but thank you so much :)",
    "\u00dcber-caf\u00e9 \u6771\u4eac \U0001f600 42\u00a0%",
    "<p>Thanks &amp; <b>bye</b></p>\n<a href='x'>why?</a>",
    "cafe\u0301 na\u00efve \u0130stanbul \u039f\u0394\u039f\u03a3 stra\u00dfe \ufb01ne",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 so\u00b4so a\u00a0b\u2003c\u200bd",
    "sooooo goooood!!! 10/10 #1 @you http://a.example/b?c=d",
    "a b c I x",
)
# What stands between two words, or around them, in messages.
BORDERS = (
    *(" ", " ", " ", "  ", "-", "'", ", ", ". "),
    *("\n", "\t", "</b> ", " <i>", "&", ""),
)
LONGEST = 12  # words


def probes(pipeline: Any, own_texts: int = 160) -> list[str]:
    """Return fixed texts, and `own_texts` of the vocabularies anywhere in `pipeline`.

    They are the same for the same pipeline, and take v2 a fifth of a second. Words
    stand alone and across each other's borders, in other cases, and within markup.
    """
    chance = random.Random(0)
    words = vocabulary(pipeline)
    own = [_text(chance, words) for _ in range(own_texts)] if words else []
    return [*PROBES, *own]


def difference(
    score: Compiled, pipeline: Any, texts: Sequence[str], tolerance: float = TOLERANCE
) -> str:
    """Describe differing labels, or probabilities by more than `tolerance`; else "".

    Both forms are compared, that of one text and that of many. A label that is as
    likely as another is no difference: see `is_tied`.
    """
    expected = np.asarray(pipeline.predict_proba(texts))
    moved, largest = 0, 0.0
    for found in (np.array(list(map(score.one, texts))), score.many(texts)):
        at = found.argmax(axis=1)[:, None]
        chosen = np.take_along_axis(expected, at, axis=1)[:, 0]
        moved = max(moved, int((expected.max(axis=1) - chosen > TOLERANCE).sum()))
        largest = max(largest, float(np.abs(found - expected).max()))
    if moved == 0 and largest <= tolerance:
        return ""
    return f"compiled, {moved} labels differ and probabilities by {largest:.1e}"


def is_tied(row: Sequence[float]) -> bool:
    """Return whether rounding alone could choose between a row's likeliest labels."""
    first, *rest = sorted(row, reverse=True)
    return bool(rest) and first - rest[0] <= TOLERANCE


def tied(rows: Array) -> list[int]:
    """Return which of many rows, [texts, classes], are tied."""
    if rows.shape[1] < 2:
        return []
    ranked = np.sort(rows, axis=1)
    found: list[int] = np.flatnonzero(
        ranked[:, -1] - ranked[:, -2] <= TOLERANCE
    ).tolist()
    return found


def _text(chance: random.Random, words: Sequence[str]) -> str:
    parts: list[str] = []
    for word in chance.choices(words, k=chance.randint(1, LONGEST)):
        case = chance.choice((str, str, str.upper, str.title, str.swapcase))
        parts += [case(word), chance.choice(BORDERS)]
    return "".join(parts)
