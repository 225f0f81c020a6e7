"""Cumulative counters of both arms as CSV: `time_s,arm,requests,errors,slow`. Pure.

The rows of one arm may come at other times than the other's, and later in the file. A
counter that falls was reset and counts from zero, as everywhere.
"""

import csv
import math
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter

from scripts.rollout.errors import RolloutError
from scripts.rollout.metrics.port import (
    ERRORS,
    READ_AT,
    REQUESTS,
    TIMED,
    UP_TO,
    Reading,
)

COLUMNS = ["time_s", "arm", "requests", "errors", "slow"]
CANARY, STABLE = "canary", "stable"
Row = tuple[float, str, dict[str, float]]


def readings(lines: Iterable[str]) -> Iterator[tuple[float, Reading]]:
    """Yield cumulative counters of both arms, time by time; they start at zero.

    Raises RolloutError with line and column.
    """
    rows = csv.reader(lines)
    header = next(rows, [])
    if [each.strip() for each in header] != COLUMNS:
        raise RolloutError(
            f"line 1: expected {','.join(COLUMNS)}, got {','.join(header)}"
        )
    reading: dict[str, dict[str, dict[str, float]]] = {
        CANARY: {"csv": {}},
        STABLE: {"csv": {}},
    }
    ordered = sorted(_parsed(rows), key=itemgetter(0))
    for number, (time, group) in enumerate(groupby(ordered, key=itemgetter(0))):
        if not number:
            yield time, reading
        reading = reading | {arm: {"csv": sample} for _, arm, sample in group}
        yield time, reading


def _parsed(rows: Iterable[list[str]]) -> Iterator[Row]:
    last: dict[str, float] = {}
    for number, row in enumerate(rows, 2):
        if not row:
            continue
        time, arm, sample = _row(number, row)
        if time <= last.get(arm, -math.inf):
            raise RolloutError(
                f"line {number}, column time_s: expected more than {last[arm]:g}, the "
                f"{arm}'s time before, got {time:g}"
            )
        last[arm] = time
        yield time, arm, sample


def _row(number: int, row: list[str]) -> Row:
    if len(row) != len(COLUMNS):
        raise RolloutError(f"line {number}: expected five fields, got {','.join(row)}")
    arm = row[1].strip()
    if arm not in (CANARY, STABLE):
        raise RolloutError(
            f"line {number}, column arm: expected canary or stable, got {arm!r}"
        )
    time = _number(number, row, 0, math.inf)
    requests = _number(number, row, 2, math.inf)
    errors, slow = (_number(number, row, i, requests) for i in (3, 4))
    sample = {
        REQUESTS: requests,
        ERRORS: errors,
        TIMED: requests,
        f"{UP_TO}0": requests - slow,
        READ_AT: time,
    }
    return time, arm, sample


def _number(line: int, row: list[str], column: int, most: float) -> float:
    """Return a field that is a number from 0 to `most`."""
    try:
        found = float(row[column])
    except ValueError:
        found = math.nan
    if not 0 <= found <= most or math.isinf(found):
        to = "" if math.isinf(most) else f" to {most:g}, the requests"
        raise RolloutError(
            f"line {line}, column {COLUMNS[column]}: expected a number from 0{to}, "
            f"got {row[column].strip()!r}"
        )
    return found
