"""Reads labelled texts and splits them; the same text is always on the same side."""

import csv
import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

INTENTS = ("complaint", "greeting", "praise", "question")
DATA = Path(__file__).parent / "data" / "intents.csv"
# Texts that are none of the intents: `read` them with OUTSIDE_INTENTS.
OUTSIDE_DATA = DATA.with_name("outside.csv")
OUTSIDE_INTENTS = ("outside",)
NEAR_DUPLICATE = 0.7
GRAM = 5
TEST_SHARE = 0.2


class DataError(Exception):
    """A data file that cannot be read as labelled texts."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """One text with its intent, and the domain and style it was written for.

    Both are "" where they are unknown, the style also where it is plain.
    """

    text: str
    intent: str
    domain: str
    style: str = ""


def read(path: Path, intents: Sequence[str] = INTENTS) -> list[Utterance]:
    """Read a CSV file with columns text, intent and, if present, domain and style.

    Raises DataError naming the line that does not fit.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            missing = {"text", "intent"} - set(rows.fieldnames or ())
            if missing:
                raise DataError(
                    f"{path}: expected columns text,intent, missing "
                    f"{', '.join(sorted(missing))}"
                )
            return [_utterance(path, rows.line_num, row, intents) for row in rows]
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected UTF-8, {error.reason}") from error


def _utterance(
    path: Path, line: int, row: dict[str, str | None], intents: Sequence[str]
) -> Utterance:
    text, intent = row["text"], row["intent"]
    if not text or not text.strip():
        raise DataError(f"{path}:{line}: text is empty")
    if intent is None or intent not in intents:
        raise DataError(
            f"{path}:{line}: intent is {intent!r}, expected one of {', '.join(intents)}"
        )
    return Utterance(text, intent, row.get("domain") or "", row.get("style") or "")


def normalise(text: str) -> str:
    """Drop case and punctuation; a text of symbols only stays unchanged."""
    return " ".join(re.findall(r"\w+", text.casefold())) or text


def split(rows: Sequence[Utterance]) -> tuple[list[Utterance], list[Utterance]]:
    """Split 80/20 into training and test texts by a hash, near-duplicates together."""
    texts = [normalise(row.text) for row in rows]
    train: list[Utterance] = []
    test: list[Utterance] = []
    for row, group in zip(rows, near_duplicate_groups(texts), strict=True):
        digest = hashlib.sha256(texts[group].encode()).digest()
        share = int.from_bytes(digest[:8], "big") / 2**64
        (test if share < TEST_SHARE else train).append(row)
    return train, test


def near_duplicate_groups(texts: Sequence[str]) -> list[int]:
    """Return, for each text, the position of the first text of its group.

    Two texts are near-duplicates if the Jaccard similarity of their character 5-grams
    is above 0.7; groups are the connected components.
    """
    leaders = list(range(len(texts)))

    def leader(position: int) -> int:
        while leaders[position] != position:
            position = leaders[position]
        return position

    for first, second in near_duplicates(texts):
        low, high = sorted((leader(first), leader(second)))
        leaders[high] = low
    return [leader(position) for position in range(len(texts))]


def near_duplicates(texts: Sequence[str]) -> list[tuple[int, int]]:
    """Return pairs of positions whose 5-grams overlap by more than NEAR_DUPLICATE."""
    grams = [_grams(text) for text in texts]
    holders: dict[str, list[int]] = defaultdict(list)
    pairs = []
    for position, own in enumerate(grams):
        shared = Counter(other for gram in own for other in holders[gram])
        for other, count in shared.items():
            union = len(own) + len(grams[other]) - count
            if count / union > NEAR_DUPLICATE:
                pairs.append((other, position))
        for gram in own:
            holders[gram].append(position)
    return pairs


def _grams(text: str) -> set[str]:
    return {text[start : start + GRAM] for start in range(max(1, len(text) - GRAM + 1))}
