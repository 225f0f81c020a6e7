"""What a message says, without the greeting before it and the thanks after it.

The labelling rules give a mixed message the intent of the part that needs an answer:
politeness around a complaint is one mark, and no words.
"""

import re
from functools import lru_cache
from typing import NamedTuple

LEAST_WORDS = 3  # of a body: "hello doctor" is a greeting and no doctor
LONGEST_CLOSING = 80  # letters: a search may begin at each, and run to the end
WORD = re.compile(r"\w+")
_WHOM = (
    r"(?:there|all|again|team|guys|everyone|everybody|folks|mate|friends?|bot|support)"
)
_HELLO = (
    r"(?:hi+|hello+|hey+|heya|hiya|yo|hallo|good\s+(?:morning|afternoon|evening|day)"
    r"|morning|afternoon|evening|greetings|dear)"
)
_WELL = (
    r"(?:how\s+(?:are|r)\s+(?:you|u)(?:\s+(?:doing|today))*"
    r"|how['’]?s\s+(?:it\s+going|things)"  # noqa: RUF001
    r"|hope\s+(?:you\s+are|you['’]re|all\s+is)\s+well)"  # noqa: RUF001
)
# Both are of lower-cased texts: to ignore case takes twice the time.
OPENING = re.compile(
    rf"\s*(?:{_HELLO}(?:\s+{_WHOM})*\b[\s,.!;:()👋-]*)+(?:{_WELL}\b[\s,.!?;:-]+)?"
)
CLOSING = re.compile(
    r"[\s,.!;:-]*(?:\b(?:many|and|ok|okay)\s+)*"
    r"\b(?:thanks|thank\s+(?:you|u)|thx|thnx|ty|ta|cheers|regards"
    r"|appreciate\s+it|much\s+appreciated)"
    r"(?:\s+(?:so\s+much|very\s+much|a\s+lot|a\s+million|in\s+advance|again|mate|guys"
    r"|all|for\s+looking|for\s+(?:your|the)\s+(?:help|time|attention|support)))*"
    r"[\s.!]*$"
)
# Of each closing one is a part: looking for them takes a tenth of the search.
CLOSING_PART = re.compile("thank|thx|thnx|ty|ta|cheers|regards|appreciate")


class Message(NamedTuple):
    """A lower-cased body; whether a greeting stood before it and thanks after it."""

    body: str
    is_opened: bool = False
    is_closed: bool = False


@lru_cache(maxsize=1)
def message(text: str) -> Message:
    """Lower-case a text and cut its politeness off; one of little else stays whole."""
    lower = text.lower()
    opening = OPENING.match(lower)
    start = opening.end() if opening else 0
    closing = _closing(lower, max(start, len(lower) - LONGEST_CLOSING))
    if opening is None and closing is None:
        return Message(lower)
    body = lower[start : closing.start()] if closing else lower[start:]
    if len(WORD.findall(body)) < LEAST_WORDS:
        return Message(lower)
    return Message(body, opening is not None, closing is not None)


def _closing(lower: str, start: int) -> "re.Match[str] | None":
    if CLOSING_PART.search(lower, start) is None:
        return None
    return CLOSING.search(lower, start)
