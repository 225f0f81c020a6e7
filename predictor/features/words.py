"""Cuts a text into words, and marks those that a negation turns."""

import re
from functools import lru_cache
from itertools import pairwise

from predictor.features.messages import message

START, OPENED, CLOSED = "<s>", "<hello>", "<thanks>"
NEGATED = "not_"
NEGATION_SCOPE = 3
TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d+|[^\w\s]")  # noqa: RUF001
ASCII_TOKEN = re.compile(r"[a-z]+(?:'[a-z]+)*|[0-9]+|[^\w\s]")  # of ASCII, the same
SCOPE_ENDS = frozenset(".,;:!?()-")
TURNS = SCOPE_ENDS | {"but"}
NEGATIONS = frozenset(
    """not no never none nobody nothing neither nor nowhere hardly barely scarcely
    without cannot cant dont doesnt didnt isnt wasnt arent werent wont wouldnt couldnt
    shouldnt aint havent hasnt hadnt""".split()
)


@lru_cache(maxsize=1)
def tokens(text: str) -> tuple[str, ...]:
    """Return lower-cased words, numbers, and single punctuation marks or symbols."""
    lower = text.lower()
    return tuple((ASCII_TOKEN if lower.isascii() else TOKEN).findall(lower))


def body(text: str) -> str:
    """Return a text's body, in which every token is a word of its own."""
    return " ".join(tokens(message(text).body))


def is_negation(token: str) -> bool:
    """Return whether the token negates the words that follow."""
    return token in NEGATIONS or token[-3:] in ("n't", "n’t")  # noqa: RUF001


@lru_cache(maxsize=1)
def has_negation(text: str) -> bool:
    """Return whether one of the text's tokens negates."""
    found = tokens(text)
    if NEGATIONS.isdisjoint(found) and "'" not in text and "’" not in text:  # noqa: RUF001
        return False
    return any(map(is_negation, found))


@lru_cache(maxsize=1)
def negation_ngrams(text: str) -> tuple[str, ...]:
    """Return uni- and bigrams of the body; negated words have a prefix.

    A mark says whether a greeting came before it, another that thanks came after.
    """
    said = message(text)
    marked = _marked(said.body) if has_negation(said.body) else tokens(said.body)
    marks = [OPENED if said.is_opened else START, *([CLOSED] if said.is_closed else ())]
    return (*marks, *marked, *map(" ".join, pairwise((START, *marked))))


def _marked(text: str) -> tuple[str, ...]:
    """Return the tokens, with a prefix on those that a negation turns."""
    marked: list[str] = []
    left = 0
    for token in tokens(text):
        if token in TURNS:
            left = 0
            marked.append(token)
            continue
        marked.append(NEGATED + token if left else token)
        if is_negation(token):
            left = NEGATION_SCOPE
        elif left:
            left -= 1
    return tuple(marked)
