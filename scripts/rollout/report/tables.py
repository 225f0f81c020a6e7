"""A rollout's summary as one line of state and one table of evidence."""

from typing import Any

from rich.table import Table

from scripts.rollout import text
from scripts.rollout.evidence.ladder import Stay


def headline(found: dict[str, Any]) -> str:
    """Return the state in one line."""
    line = f"{found['target']}  {found['stable']} -> {found['canary']}  "
    line += f"{found['phase']} at {found['weight']} %"
    if found["steps"]:
        line += f" of {text.percents(found['steps'])}"
    if found["paused"]:
        line += f"  {found['paused'].upper()}"
    if found["etaSeconds"] is not None:
        line += f"  eta {text.duration(found['etaSeconds'])}"
    return line


def evidence(found: dict[str, Any]) -> Table:
    """Tabulate both arms, the interval of their difference, and the e-values."""
    table = Table(box=None)
    table.add_column("METRIC")
    table.add_column("CANARY", justify="right")
    table.add_column("STABLE", justify="right")
    table.add_column("DIFFERENCE [ANYTIME CI]", justify="right")
    table.add_column("ROLLBACK E", justify="right")
    table.add_column("GATE E", justify="right")
    for row in found["metrics"]:
        table.add_row(
            row["metric"],
            arm(row["canary"]),
            arm(row["stable"]),
            difference(row),
            f"{text.number(row['rollback'])} of {row['rollback_needed']:.0f}",
            "-"
            if row["gate"] is None
            else f"{text.number(row['gate'])} of {row['gate_needed']:.0f}",
        )
    return table


def arm(counts: dict[str, float]) -> str:
    """Format one arm's bad share and number of requests."""
    share = counts["bad"] / counts["n"] if counts["n"] else 0.0
    return f"{text.share(share)} ({counts['n']:.0f})"


def difference(row: dict[str, Any]) -> str:
    """Format canary minus stable, with the interval that holds at every look."""
    if row["distance"] is not None:
        return f"labels {text.share(row['distance'])} apart"
    canary, stable = row["canary"], row["stable"]
    if not canary["n"] or not stable["n"]:
        return "-"
    difference = canary["bad"] / canary["n"] - stable["bad"] / stable["n"]
    ends = f"[{row['low'] * 100:+.2g}, {row['high'] * 100:+.2g}]"
    return f"{difference * 100:+.2f}% {ends}"


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
