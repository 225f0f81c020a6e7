"""The live view on a terminal: both arms, evidence as bars, decisions."""

import json
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleDimensions, Group
from rich.text import Text

from scripts.rollout import text
from scripts.rollout.journal.notes import read_notes
from scripts.rollout.report import fitted, tables

WEIGHT_BAR = 40  # characters
DECISIONS = 8  # the newest ones, below the tables
_PLAIN = Console()  # what wraps a text; it prints nothing


def decisions(lines: Iterable[str]) -> list[str]:
    """Return the last notes of the newest rollout in these lines, with their times."""
    found: list[str] = []
    for entry in map(json.loads, lines):
        if entry["kind"] == "begin":
            found = []
        found += told(entry)
    return found[-DECISIONS:]


def told(entry: dict[str, Any]) -> list[str]:
    """Return the notes of one entry, with their time."""
    at = entry.get("seen", {}).get("time")
    when = text.clock(at) if at else " " * 8
    return [f"{when} {note.text}" for note in read_notes(entry)]


def frame(
    found: dict[str, Any], notes: list[str], size: ConsoleDimensions | None = None
) -> Group:
    """Draw the result of `summary.summary` as one picture.

    On a terminal of some `size` lines are wrapped, and as many of the newest notes are
    shown as there is room for.
    """
    width = size.width if size else tables.WIDTH
    waits = [f"waits for: {each}" for each in found["waitingFor"]] or [found["reason"]]
    idle = [tables.idle(found)] if found["idleSeconds"] is not None else []
    lines = [
        Text(tables.headline(found, width), style="bold"),
        Text(_weight(found, width), style="cyan"),
        Text(),
        *_evidence(found, width),
        Text("\n".join([*idle, *waits])),
    ]
    told = [Text(note, style="dim") for note in notes]
    if size is None:
        return Group(*lines, Text(), *told)
    wrapped = [line for each in lines for line in _wrapped(each, width)]
    return Group(*_cut(wrapped, [_wrapped(note, width) for note in told], size.height))


def _weight(found: dict[str, Any], width: int) -> str:
    """Return the canary's weight: the numbers, after a bar if there is room for one."""
    weight = found["weight"]
    said = f"{weight} % to {found['canary']}"
    room = min(WEIGHT_BAR, width - len(said) - 1)
    return f"{tables.filled(weight / 100, room)} {said}" if room > 0 else said


def _evidence(found: dict[str, Any], width: int) -> list[Text]:
    if not found["metrics"]:
        return []
    return [*fitted.arms(found, width), Text(), *fitted.evidence(found, width), Text()]


def _wrapped(said: Text, width: int) -> list[Text]:
    """Break lines at words, and words only if they are longer than a line."""
    return list(said.wrap(_PLAIN, width)) if said.plain else [Text()]


def _cut(lines: list[Text], told: list[list[Text]], height: int) -> list[Text]:
    """Return lines and the newest notes: one less than a terminal's height at most."""
    most = height - 1
    if len(lines) > most:
        lines = [line for line in lines if line.plain]
    if len(lines) > most:
        more = f"{len(lines) - most + 1} more lines: explain prints them"
        return [*lines[: most - 1], Text(more, style="dim")]
    room, shown = most - len(lines) - 1, list[Text]()
    for note in reversed(told):
        if len(shown) + len(note) > room:
            break
        shown = [*note, *shown]
    return [*lines, Text(), *shown] if shown else lines
