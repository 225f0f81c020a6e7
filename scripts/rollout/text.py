"""Formats durations, shares, e-values and verdicts. Pure."""

from collections.abc import Sequence
from datetime import datetime

from scripts.rollout.errors import Exit


def duration(seconds: float) -> str:
    """Format seconds as 40s, 3m05s or 2h10m."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02}m"


def exactly(seconds: float) -> str:
    """Format a duration as a policy has it: 0.5ms, 250ms or 2.5s."""
    return f"{seconds:g}s" if seconds >= 1 else f"{seconds * 1000:g}ms"


def clock(at: float) -> str:
    """Format a time, in seconds since the epoch, as this machine's time of day."""
    return f"{datetime.fromtimestamp(at):%H:%M:%S}"


def share(value: float) -> str:
    """Format a fraction as a percentage."""
    return f"{value * 100:.2f}%"


def percents(steps: Sequence[int]) -> str:
    """Format steps as 5/10/25/50."""
    return "/".join(map(str, steps))


def number(e_value: float) -> str:
    """Format an e-value briefly, whatever its size."""
    if 100 <= e_value < 1e6:
        return f"{e_value:,.0f}"
    return f"{e_value:.3g}" if 0.05 <= e_value < 100 else f"{e_value:.1e}"


def verdict(code: Exit) -> str:
    """Format an exit code as one line."""
    return f"verdict: {code.name.lower()}, exit code {int(code)}"
