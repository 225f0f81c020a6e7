"""Changes messages as chat users do: what stays is their intent."""

import random
import string
from collections.abc import Callable, Sequence

from training.dataset import Utterance

# Those of the fit and those of the evaluation differ, so that the latter are unseen.
FIT_OPENINGS = (
    *("hi ", "hello ", "Hello, ", "hey ", "Hi! ", "good afternoon, ", "hiya "),
    *("Good evening. ", "hi there, ", "hey guys, ", "hello there ", "Good day, "),
    *("morning, ", "hi, how's it going? "),
)
OPENINGS = (
    *("hi, ", "Hello! ", "good morning ", "hey there, ", "Hi team, ", "yo "),
    *("hello, how are you? ", "Dear all, ", "hey :) "),
)
CLOSINGS = (
    *(" thanks", " Thank you!", ", thx", ". Thanks in advance", " cheers mate"),
    *(" many thanks", ", appreciate it"),
)
EMOJIS = {
    "complaint": "\U0001f621\U0001f44e\U0001f62d\U0001f644\U0001f92c",
    "praise": "\U0001f60d\U0001f44d\U0001f389\u2764\U0001f64f",
    "question": "\U0001f914\u2753\U0001f64f\U0001f605",
    "greeting": "\U0001f44b\U0001f60a\u2600\U0001f600",
}
GREETED_SHARE = 0.1
WORDS_A_TYPO = 5
SEED = 5

Change = Callable[[Utterance, random.Random], str]


def greeted(rows: Sequence[Utterance]) -> list[Utterance]:
    """Return a tenth of the rows once more, with a greeting before them.

    The data have far more greetings that stand alone than others, and models would
    take every "hi" for one.
    """
    chance = random.Random(SEED)
    chosen = [
        row
        for row in rows
        if row.intent != "greeting" and chance.random() < GREETED_SHARE
    ]
    return [_with(row, chance.choice(FIT_OPENINGS) + row.text) for row in chosen]


def changed(rows: Sequence[Utterance]) -> dict[str, list[Utterance]]:
    """Return the rows in each way that chat users change them, by its name."""
    asking = [row for row in rows if row.intent != "greeting"]
    changes: dict[str, tuple[Change, Sequence[Utterance]]] = {
        "typos": (misspelt, rows),
        "an emoji": (_with_emoji, rows),
        "a greeting before": (_opened, asking),
        "thanks after": (_closed, asking),
    }
    found = {}
    for name, (change, those) in changes.items():
        chance = random.Random(SEED)
        found[name] = [_with(row, change(row, chance)) for row in those]
    return found


def misspelt(row: Utterance, chance: random.Random) -> str:
    """Return the text with a typo in one of five words of four letters and more."""
    words = row.text.split(" ")
    long = [at for at, word in enumerate(words) if len(word) > 3]
    for at in chance.choices(long, k=max(1, len(words) // WORDS_A_TYPO) if long else 0):
        words[at] = _typo(words[at], chance)
    return " ".join(words)


def _typo(word: str, chance: random.Random) -> str:
    """Exchange, drop, double or replace a letter within a word."""
    at = chance.randrange(1, len(word) - 1)
    head, letter, tail = word[:at], word[at], word[at + 1 :]
    other = chance.choice(string.ascii_lowercase)
    return chance.choice(
        (
            head + tail[0] + letter + tail[1:],
            head + tail,
            head + letter + letter + tail,
            head + other + tail,
        )
    )


def _with_emoji(row: Utterance, chance: random.Random) -> str:
    return f"{row.text} {chance.choice(EMOJIS[row.intent])}"


def _opened(row: Utterance, chance: random.Random) -> str:
    return chance.choice(OPENINGS) + row.text


def _closed(row: Utterance, chance: random.Random) -> str:
    return row.text.rstrip(".!") + chance.choice(CLOSINGS)


def _with(row: Utterance, text: str) -> Utterance:
    return Utterance(text, row.intent, row.domain, row.style)
