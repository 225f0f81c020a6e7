"""A hash chain over journal lines, so that no line can be changed unnoticed.

A line is a JSON object whose first key is `hash`: the SHA-256 of the previous line's
hash and of everything after its own hash. `sha256sum` can check it.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import orjson

from scripts.rollout.errors import JournalError

FIRST = "0" * 64  # stands in for the hash of a line before the first
HEAD = '{"hash":"'
START, END = len(HEAD), len(HEAD) + 64  # where a line's own hash stands
NUMBER = re.compile(r'"seq":(\d+),"kind":"(\w+)"')


def link(previous: str, content: dict[str, Any]) -> tuple[str, str]:
    """Return the line for `content` after a line with hash `previous`, and its hash."""
    rest = json.dumps(content, separators=(",", ":"), allow_nan=False)[1:]
    digest = _digest(previous, rest)
    return f'{HEAD}{digest}",{rest}', digest


def verify(
    lines: Iterable[str], previous: str = FIRST, first: int = 1
) -> Iterator[dict[str, Any]]:
    """Yield the contents in order. Raises JournalError with a broken line's number.

    `previous` is the hash of the line before line number `first`.
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


def verify_part(lines: list[str]) -> tuple[list[dict[str, Any]], tuple[int, int]]:
    """Return the entries of a chain or a part of one, and the verified line numbers.

    The first entry of a part cannot be verified. A copy may hold an entry twice, where
    a promoter resumed, and earlier parts, where another machine had the journal
    meanwhile: repeats are dropped and the last part counts. Raises JournalError.
    """
    lines = [line for line, _ in groupby(lines)]
    lines = lines[_last_part(lines) :]
    first = orjson.loads(lines[0])
    if first["seq"] == 1:
        records = list(verify(lines))
        return records, (1, len(records))
    rest = verify(lines[1:], first["hash"], first["seq"] + 1)
    records = [first, *rest]
    return records, (first["seq"] + 1, records[-1]["seq"])


def _last_part(lines: list[str]) -> int:
    """Return the index of the last beginning that does not follow the line before."""
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
