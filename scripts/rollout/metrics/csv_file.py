"""Cumulative counters of both arms as CSV: `time_s,arm,requests,errors,slow`. Pure.

The rows of one arm may come at other times than the other's.
"""

import csv
from collections.abc import Iterable, Iterator
from itertools import groupby

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


def readings(lines: Iterable[str]) -> Iterator[tuple[float, Reading]]:
    """Cumulative counters of both arms, time by time; they start at zero."""
    rows = csv.reader(lines)
    header = next(rows, [])
    if [each.strip() for each in header] != COLUMNS:
        raise RolloutError(
            f"line 1: expected {','.join(COLUMNS)}, got {','.join(header)}"
        )
    parsed = (_row(number, row) for number, row in enumerate(rows, 2) if row)
    reading: dict[str, dict[str, dict[str, float]]] = {
        CANARY: {"csv": {}},
        STABLE: {"csv": {}},
    }
    last = None
    for time, group in groupby(parsed, key=lambda row: row[0]):
        if last is None:
            yield time, reading
        elif time < last:
            raise RolloutError(f"time_s goes back from {last:g} to {time:g}")
        last = time
        reading = reading | {arm: {"csv": sample} for _, arm, sample in group}
        yield time, reading


def _row(number: int, row: list[str]) -> tuple[float, str, dict[str, float]]:
    try:
        time, requests, errors, slow = (float(row[i]) for i in (0, 2, 3, 4))
    except (ValueError, IndexError) as error:
        raise RolloutError(
            f"line {number}: expected five fields, got {','.join(row)}"
        ) from error
    arm = row[1].strip()
    if arm not in (CANARY, STABLE):
        raise RolloutError(
            f"line {number}: arm: expected canary or stable, got {arm!r}"
        )
    if not 0 <= errors <= requests < float("inf") or not 0 <= slow <= requests:
        raise RolloutError(
            f"line {number}: errors and slow: expected 0 to requests, {requests:g}"
        )
    sample = {
        REQUESTS: requests,
        ERRORS: errors,
        TIMED: requests,
        f"{UP_TO}0": requests - slow,
        READ_AT: time,
    }
    return time, arm, sample
