"""The live view on a terminal: both arms, evidence as bars, decisions."""

import json
import math
from collections.abc import Iterable
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from scripts.rollout import text
from scripts.rollout.journal.notes import read_notes
from scripts.rollout.report import tables

BAR, WEIGHT_BAR = 24, 50  # characters
FILLED, EMPTY = "█", "░"
DECISIONS = 8  # the newest ones, below the tables


def bar(e_value: float, needed: float) -> str:
    """Draw evidence as a bar on the logarithmic scale, full at `needed`."""
    if e_value <= 1:
        return EMPTY * BAR
    return _filled(math.log(e_value) / math.log(needed), BAR)


def _filled(share: float, width: int) -> str:
    full = round(min(share, 1.0) * width)
    return FILLED * full + EMPTY * (width - full)


def decisions(lines: Iterable[str]) -> list[str]:
    """Return the last notes of a journal's lines, each with its time."""
    found = []
    for entry in map(json.loads, lines):
        at = entry.get("seen", {}).get("time")
        when = text.clock(at) if at else " " * 8
        found += [f"{when} {note.text}" for note in read_notes(entry)]
    return found[-DECISIONS:]


def frame(found: dict[str, Any], notes: list[str]) -> Group:
    """Draw the result of `summary.summary` as one picture."""
    weight = found["weight"]
    canary = f"{_filled(weight / 100, WEIGHT_BAR)} {weight} % to {found['canary']}"
    waits = [f"waits for: {each}" for each in found["waitingFor"]]
    return Group(
        Text(tables.headline(found), style="bold", no_wrap=True),
        Text(canary, style="cyan", no_wrap=True),
        Text(),
        *([_evidence(found)] if found["metrics"] else []),
        Text("\n".join(waits or [found["reason"]])),
        Text(),
        *(Text(note, style="dim", no_wrap=True) for note in notes),
    )


def _evidence(found: dict[str, Any]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("METRIC", "CANARY", "STABLE", "DIFFERENCE [ANYTIME CI]"):
        table.add_column(name, no_wrap=True)
    table.add_column("AGAINST THE CANARY", style="red", no_wrap=True)
    table.add_column("FOR THE NEXT WEIGHT", style="green", no_wrap=True)
    for row in found["metrics"]:
        table.add_row(
            row["metric"],
            tables.arm(row["canary"]),
            tables.arm(row["stable"]),
            tables.difference(row),
            _towards(row["rollback"], row["rollback_needed"]),
            _towards(row["gate"], row["gate_needed"]),
        )
    return table


def _towards(e_value: float | None, needed: float) -> str:
    if e_value is None:
        return "-"
    return f"{bar(e_value, needed)} {text.number(e_value)} of {needed:.0f}"
