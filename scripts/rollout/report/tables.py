"""A rollout's summary as one or two lines of state and two tables, 80 columns wide."""

import math
from collections.abc import Iterator
from typing import Any

from rich.table import Table

from scripts.rollout import text
from scripts.rollout.evidence.forecast.ladder import Stay

WIDTH = 80  # characters of a line; names of revisions may need more
BAR = 16  # characters
FILLED, EMPTY = "█", "░"
SHOWN_STEPS = 6  # of a longer list the first three and the last two are shown
UNIT = "PERCENTAGE POINTS [ANYTIME CI]"


def headline(found: dict[str, Any], width: int = WIDTH) -> str:
    """Return the state in one line, in two where one is too long."""
    names = f"{found['target']}  {found['stable']} -> {found['canary']}"
    line = f"{found['phase']} at {found['weight']} %"
    if found["steps"] and found["verdict"] is None:
        line += f" of {_steps(found['steps'])}"
    if found["paused"]:
        line += f"  {found['paused'].upper()}"
    if found["etaSeconds"] is not None:
        line += f"  eta {text.duration(found['etaSeconds'])}"
    is_short = len(names) + len(line) + 2 <= width
    return f"{names}  {line}" if is_short else f"{names}\n{line}"


def idle(found: dict[str, Any]) -> str:
    """Say that no promoter is at work, "" where one is or none is needed."""
    seconds = found["idleSeconds"]
    if seconds is None:
        return ""
    ago = text.duration(seconds)
    return f"no promoter is at work (last look {ago} ago); run goes on from here"


def _steps(steps: list[int]) -> str:
    if len(steps) <= SHOWN_STEPS:
        return text.percents(steps)
    return f"{text.percents(steps[:3])}/.../{text.percents(steps[-2:])}"


def arms(found: dict[str, Any]) -> Table:
    """Tabulate both arms and the interval of their difference."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("METRIC", no_wrap=True)
    for name in ("CANARY", "STABLE", UNIT):
        table.add_column(name, justify="right", no_wrap=True)
    for row in found["metrics"]:
        for cells in arm_rows(row):
            table.add_row(*cells)
    return table


def arm_rows(row: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Yield a metric, both arms and their difference; then those of its pairs."""
    yield row["metric"], arm(row["canary"]), arm(row["stable"]), difference(row)
    pairs = row["pairs"]
    if pairs is not None and not _is_of_pairs(row):
        yield "  in pairs", arm(pairs["canary"]), arm(pairs["stable"]), _apart(pairs)


def _is_of_pairs(row: dict[str, Any]) -> bool:
    """Return whether the metric is about pairs alone."""
    return row["pairs"] is not None and row["canary"] == row["pairs"]["canary"]


def _apart(arms: dict[str, Any]) -> str:
    return f"{(arms['canary']['share'] - arms['stable']['share']) * 100:+.2f}"


def evidence(found: dict[str, Any]) -> Table:
    """Tabulate the e-values as bars, with what each needs."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("METRIC", no_wrap=True)
    table.add_column("AGAINST THE CANARY", style="red", no_wrap=True)
    table.add_column("FOR THE NEXT WEIGHT", style="green", no_wrap=True)
    for row in found["metrics"]:
        table.add_row(
            row["metric"],
            _towards(row["rollback"], row["rollback_needed"]),
            _towards(row["gate"], row["gate_needed"]),
        )
    return table


def arm(counts: dict[str, float]) -> str:
    """Format one arm's bad share and number of requests."""
    return f"{text.share(counts['share'])} ({counts['n']:.0f})"


def difference(row: dict[str, Any]) -> str:
    """Format canary minus stable, with the interval that holds at every look."""
    if row["distance"] is not None:
        return f"labels {text.share(row['distance'])} apart"
    canary, stable = row["canary"], row["stable"]
    if not canary["n"] or not stable["n"]:
        return "-"
    if _is_of_pairs(row):
        return _apart(row)
    ends = f"[{row['low'] * 100:+.3g}, {row['high'] * 100:+.3g}]"
    return f"{_apart(row)} {ends}"


def bar(e_value: float, needed: float) -> str:
    """Draw evidence as a bar on the logarithmic scale, full at `needed`."""
    return filled(reached(e_value, needed), BAR)


def reached(e_value: float, needed: float) -> float:
    """Return how far evidence has come from 1 to `needed`, on the logarithmic scale."""
    return min(math.log(e_value) / math.log(needed), 1.0) if e_value > 1 else 0.0


def filled(share: float, width: int) -> str:
    """Draw a share as a bar of so many characters."""
    full = round(min(share, 1.0) * width)
    return FILLED * full + EMPTY * (width - full)


def _towards(e_value: float | None, needed: float) -> str:
    if e_value is None:
        return "-"
    return f"{bar(e_value, needed)} {text.number(e_value)} of {needed:.0f}"


def stays(found: dict[str, Any]) -> Table:
    """Tabulate the time at each weight."""
    table = Table(box=None)
    table.add_column("WEIGHT", justify="right")
    table.add_column("TIME", justify="right")
    for each in found["stays"]:
        stay = Stay(**each)
        time = "never" if stay.seconds is None else text.duration(stay.seconds)
        table.add_row(f"{stay.weight} %", time)
    return table
