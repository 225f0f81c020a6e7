"""A rollout's two tables for a terminal of any width: nothing in them is cut.

Names and numbers come first. Bars get the room that is left; where not even the numbers
fit beside each other, they stand below each other.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.text import Text

from scripts.rollout import text
from scripts.rollout.report import tables

GAP = "  "
LEAST_BAR = 4  # characters: a shorter bar shows nothing
SHORT_UNIT = "POINTS [ANYTIME CI]"
AGAINST, NEXT = "AGAINST THE CANARY", "FOR THE NEXT WEIGHT"
STYLES = ("", "red", "green")
Cells = tuple[str, ...]


def arms(found: dict[str, Any], width: int) -> list[Text]:
    """Return both arms and the interval of their difference, metric by metric."""
    rows = [cells for row in found["metrics"] for cells in tables.arm_rows(row)]
    for unit in (tables.UNIT, SHORT_UNIT):
        lines = _aligned([("METRIC", "CANARY", "STABLE", unit), *rows])
        if _widest(lines) <= width:
            return list(map(Text, lines))
    return [Text(line) for row in rows for line in _stacked_arms(row)]


def _stacked_arms(row: Cells) -> Iterator[str]:
    name, canary, stable, difference = row
    yield name
    yield from (f"  canary {canary}", f"  stable {stable}", f"  apart  {difference}")


def evidence(found: dict[str, Any], width: int) -> list[Text]:
    """Return the e-values and what each needs, with bars where there is room."""
    rows = [(row["metric"], *_both(row)) for row in found["metrics"]]
    said = [(name, *(words for words, _ in both)) for name, *both in rows]
    header = ("METRIC", AGAINST, NEXT)
    plain = _aligned([header, *said])
    if _widest(plain) > width:
        return [line for row in said for line in _stacked_evidence(row)]
    widths = [max(len(row[i]) for row in [header, *said]) for i in range(3)]
    longest = [max(len(row[i]) for row in said) for i in range(3)]
    # A bar stands in its column, so the header's own width is room for it too.
    size = tables.BAR
    while size >= LEAST_BAR and _with_bars(widths, longest, size) > width:
        size -= 1
    if size < LEAST_BAR:
        return _coloured([header, *said], widths)
    barred = [
        (name, *(_barred(each, longest[i], size) for i, each in enumerate(both, 1)))
        for name, *both in rows
    ]
    widths = [max(len(row[i]) for row in [header, *barred]) for i in range(3)]
    return _coloured([header, *barred], widths)


def _with_bars(widths: Sequence[int], longest: Sequence[int], size: int) -> int:
    columns = [max(widths[i], longest[i] + 1 + size) for i in (1, 2)]
    return widths[0] + sum(columns) + 2 * len(GAP)


def _both(row: dict[str, Any]) -> Iterator[tuple[str, float | None]]:
    """Yield the evidence against the canary and for the next weight: words, share."""
    for name in ("rollback", "gate"):
        e_value, needed = row[name], row[f"{name}_needed"]
        if e_value is None:
            yield "-", None
        else:
            said = f"{text.number(e_value)} of {needed:.0f}"
            yield said, tables.reached(e_value, needed)


def _barred(evidence: tuple[str, float | None], width: int, size: int) -> str:
    said, share = evidence
    bar = "" if share is None else f" {tables.filled(share, size)}"
    return f"{said.rjust(width)}{bar}"


def _stacked_evidence(row: Cells) -> Iterator[Text]:
    name, against, gate = row
    yield Text(name)
    yield Text(f"  against {against}", style=STYLES[1])
    yield Text(f"  next    {gate}", style=STYLES[2])


def _coloured(rows: Sequence[Cells], widths: Sequence[int]) -> list[Text]:
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        apart = [*(f"{cell}{GAP}" for cell in cells[:-1]), cells[-1].rstrip()]
        lines.append(Text.assemble(*zip(apart, STYLES, strict=True)))
    return lines


def _aligned(rows: Sequence[Cells]) -> list[str]:
    """Return rows as lines: names to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        GAP.join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _widest(lines: Sequence[str]) -> int:
    return max(map(len, lines), default=0)
