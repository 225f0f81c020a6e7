"""Journal lines that carry the hash of all before them, so none is changed unseen.

A line is a JSON object whose first key is `hash`: the SHA-256 of the hash of the line
before and of everything behind its own. Anybody can check it with sha256sum.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import orjson

from scripts.rollout.errors import JournalError

FIRST = "0" * 64  # no line has this hash of SHA-256's 64 digits
HEAD = '{"hash":"'
START, END = len(HEAD), len(HEAD) + 64  # where a line's own hash stands
NUMBER = re.compile(r'"seq":(\d+),"kind":"(\w+)"')


def link(previous: str, content: dict[str, Any]) -> tuple[str, str]:
    """The line for `content` behind a line with hash `previous`, and its own hash."""
    rest = json.dumps(content, separators=(",", ":"), allow_nan=False)[1:]
    digest = _digest(previous, rest)
    return f'{HEAD}{digest}",{rest}', digest


def verified(
    lines: Iterable[str], previous: str = FIRST, first: int = 1
) -> Iterator[dict[str, Any]]:
    """The contents in order. Raises JournalError with the number of a broken line.

    `previous` is the hash of what came before line number `first`.
    """
    for number, line in enumerate(lines, first):
        digest, rest = line[START:END], line[END + 2 :].rstrip("\n")
        if not line.startswith(HEAD) or _digest(previous, rest) != digest:
            raise JournalError(
                f"line {number}: the chain is broken: this line or one before it was "
                "changed or removed"
            )
        previous = digest
        yield orjson.loads("{" + rest)


def part(lines: list[str]) -> tuple[list[dict[str, Any]], tuple[int, int]]:
    """All entries of a chain or of a part of one, and the numbers of those verified.

    The first of a part is taken as it is. A copy may hold an entry twice, where a
    promoter went on from it, and older parts before the last, where somebody else had
    the journal meanwhile. Raises JournalError.
    """
    lines = [line for line, _ in groupby(lines)]
    lines = lines[_last_part(lines) :]
    first = orjson.loads(lines[0])
    if first["seq"] == 1:
        records = list(verified(lines))
        return records, (1, len(records))
    rest = verified(lines[1:], first["hash"], first["seq"] + 1)
    records = [first, *rest]
    return records, (first["seq"] + 1, records[-1]["seq"])


def _last_part(lines: list[str]) -> int:
    """Where the last beginning stands that does not follow what is before it."""
    start, expected = 0, 0
    for i, line in enumerate(lines):
        head = NUMBER.match(line, END + 2)
        number = int(head[1]) if head else expected
        if head and head[2] in ("begin", "restart") and number != expected:
            start = i
        expected = number + 1
    return start


def _digest(previous: str, rest: str) -> str:
    return hashlib.sha256((previous + rest).encode()).hexdigest()
