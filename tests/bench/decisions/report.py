"""Prints one cell, and says what must hold there and does not."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from rich.table import Table as Grid

from scripts.inference.load import wilson_interval
from tests.bench.decisions import bound
from tests.bench.decisions.run import Ends
from tests.bench.decisions.situations.tables import Table
from tests.bench.decisions.variants import WIDE
from tests.bench.decisions.world.cells import ALPHA, BETA, Cell
from tests.bench.decisions.world.rates import Array

OURS = "ours"


def of(table: Table, cell: Cell, ends: Sequence[Ends]) -> Grid:
    """Every policy; bad answers are those that the stable would not give."""
    title = f"{cell.name}, {table.rps:g} requests/s, {len(ends[0].bad)} rollouts"
    grid = Grid(title=title, title_justify="left", box=None)
    grid.add_column("policy")
    names = ("promised", "rolled back", "95 %", "promoted", "95 %")
    last = ("min to it: median", "mean", "bound") if cell.is_good else ()
    for name in (*names, *last, "min to back"):
        grid.add_column(name, justify="right")
    if not cell.is_good:
        for name in ("bad answers: median", "mean"):
            grid.add_column(name, justify="right")
    for each in ends:
        grid.add_row(*_row(table, cell, each))
    return grid


def _row(table: Table, cell: Cell, each: Ends) -> list[str]:
    found = [each.policy, _promised(cell, each)]
    for times in (each.rolled_back, each.promoted):
        low, high = interval(times)
        found += [f"{share(times):.4f}", f"{low:.4f}-{high:.4f}"]
    if cell.is_good:
        is_bound = bool(each.path) and each.policy != WIDE
        least = bound.seconds(table.rps, each.path, pairs_rps=each.pairs_rps)
        passed = (_minutes(each.passed, np.median), _minutes(each.passed, np.mean))
        found += [*passed, f"{least / 60:.2f}" if is_bound else "-"]
    found.append(_minutes(each.rolled_back, np.median))
    if not cell.is_good:
        found += [f"{np.median(each.bad):.0f}", f"{each.bad.mean():.1f}"]
    return found


def _promised(cell: Cell, each: Ends) -> str:
    """What a policy says of such canaries: no other one says anything."""
    if not each.policy.startswith(OURS):
        return "-"
    return f"<= {ALPHA:g} back" if cell.is_good else f"<= {BETA:g} on"


def _minutes(seconds: Array, what: object) -> str:
    known = seconds[~np.isnan(seconds)]
    return f"{what(known) / 60:.2f}" if len(known) else "-"  # type: ignore[operator]


def share(times: Array) -> float:
    """The part of rollouts that came to this end."""
    return float(np.mean(~np.isnan(times)))


def interval(times: Array) -> tuple[float, float]:
    """Wilson's 95 % interval of that part."""
    return wilson_interval(int((~np.isnan(times)).sum()), len(times))


def misses(cell: Cell, ends: Sequence[Ends]) -> Iterator[str]:
    """What must hold and does not by more than chance: its whole 95 % interval."""
    for each in ends:
        must = cell.must.get(each.policy)
        if must is None:
            continue
        said = f"{cell.name}: {each.policy}:"
        for limit, times, what in (
            (must.back, each.rolled_back, "rolled back"),
            (must.promoted, each.promoted, "promoted"),
        ):
            if limit is not None and interval(times)[0] > limit:
                yield f"{said} {share(times):.4f} {what}, at most {limit}"
        if must.found is not None and interval(each.rolled_back)[1] < must.found:
            yield f"{said} {share(each.rolled_back):.4f} found, at least {must.found}"
        if must.minutes is not None:
            took = least_median(each.passed) / 60
            if took > must.minutes:
                yield f"{said} last gate in {took:.2f} min, at most {must.minutes:.2f}"
        if must.bad is not None and _least_mean(each.bad) > must.bad:
            yield f"{said} {each.bad.mean():.1f} bad answers, at most {must.bad:g}"


def least_median(seconds: Array) -> float:
    """The lower end of the median's 95 % interval, by order statistics."""
    times = np.sort(np.where(np.isnan(seconds), math.inf, seconds))
    return float(times[max(math.floor(len(times) / 2 - 0.98 * len(times) ** 0.5), 0)])


def _least_mean(values: Array) -> float:
    return float(values.mean() - 1.96 * values.std() / len(values) ** 0.5)
