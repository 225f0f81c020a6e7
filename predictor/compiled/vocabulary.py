"""The terms that a fitted pipeline knows."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any


def vocabulary(pipeline: Any) -> list[str]:
    """Return the terms of every vectorizer anywhere in `pipeline`, in one order."""
    return _ordered(chain.from_iterable(map(_terms, _vectorizers(pipeline))))


def words(pipeline: Any) -> list[str]:
    """Return the words that a fitted pipeline knows, no n-grams of letters."""
    known = filter(_cuts_words, _vectorizers(pipeline))
    found = _ordered(chain.from_iterable(map(_terms, known)))
    return [word for word in found if word.split() == [word]]


def _ordered(terms: Iterable[Any]) -> list[str]:
    return sorted({term for term in terms if isinstance(term, str)})


def _terms(vectorizer: Any) -> Iterable[Any]:
    own = vectorizer.vocabulary_
    return own if isinstance(own, Iterable) else ()


def _cuts_words(vectorizer: Any) -> bool:
    return getattr(vectorizer, "analyzer", "") not in ("char", "char_wb")


def _vectorizers(step: Any) -> Iterator[Any]:
    """Return every step with a vocabulary in a fitted estimator, wherever it is."""
    seen: set[int] = set()
    waiting = [step]
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, list | tuple):
            waiting += each
        elif hasattr(each, "__dict__"):
            if hasattr(each, "vocabulary_"):
                yield each
            waiting += [v for v in vars(each).values() if _may_hold_steps(v)]


def _may_hold_steps(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        or hasattr(value, "get_params")
        or (hasattr(value, "estimator") and hasattr(value, "__dict__"))
    )
