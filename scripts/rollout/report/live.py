"""The live view on a terminal: both arms, evidence as bars, decisions."""

import json
from collections.abc import Iterable
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from scripts.rollout import text
from scripts.rollout.journal.notes import read_notes
from scripts.rollout.report import tables

WEIGHT_BAR = 40  # characters
DECISIONS = 8  # the newest ones, below the tables


def decisions(lines: Iterable[str]) -> list[str]:
    """Return the last notes of the newest rollout in these lines, with their times."""
    found: list[str] = []
    for entry in map(json.loads, lines):
        if entry["kind"] == "begin":
            found = []
        at = entry.get("seen", {}).get("time")
        when = text.clock(at) if at else " " * 8
        found += [f"{when} {note.text}" for note in read_notes(entry)]
    return found[-DECISIONS:]


def frame(found: dict[str, Any], notes: list[str]) -> Group:
    """Draw the result of `summary.summary` as one picture."""
    weight = found["weight"]
    canary = (
        f"{tables.filled(weight / 100, WEIGHT_BAR)} {weight} % to {found['canary']}"
    )
    waits = [f"waits for: {each}" for each in found["waitingFor"]] or [found["reason"]]
    idle = [tables.idle(found)] if found["idleSeconds"] is not None else []
    return Group(
        Text(tables.headline(found), style="bold", no_wrap=True),
        Text(canary, style="cyan", no_wrap=True),
        Text(),
        *_evidence(found),
        Text("\n".join([*idle, *waits])),
        Text(),
        *(Text(note, style="dim", no_wrap=True) for note in notes),
    )


def _evidence(found: dict[str, Any]) -> list[Table | Text]:
    if not found["metrics"]:
        return []
    return [tables.arms(found), Text(), tables.evidence(found), Text()]
