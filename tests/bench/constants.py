"""What the evidence's free constants trade: python -m tests.bench.constants

Each is set to other values while everything else stays, on the streams of
`tests.bench.decisions`. None of them carries the guarantee, so no row may break it.
"""

import argparse
from types import ModuleType
from typing import Any
from unittest.mock import patch

import numpy as np
from rich.table import Table

from scripts import console
from scripts.rollout.decision import measurement
from scripts.rollout.evidence import processes
from tests.bench.decisions.known import Known
from tests.bench.decisions.ours import Ours
from tests.bench.decisions.situations.plain import PLAIN
from tests.bench.decisions.variants import FIRST, path, variant
from tests.bench.decisions.world.cells import BUDGET, Cell
from tests.bench.decisions.world.streams import Stream

RPS, MINUTES = 50.0, 60.0
NAMES = ("identical", BUDGET, "+2 % errors")
FEW, MANY = np.array([0.01, 0.08, 0.64]), np.geomspace(0.0025, 0.95, 30)
Value = tuple[ModuleType, str, Any]
AS_IT_IS: Value = (measurement, "EPOCH_S", measurement.EPOCH_S)
VALUES: tuple[Value, ...] = (
    AS_IT_IS,
    (processes, "SHRINKAGE", 5.0),
    (processes, "SHRINKAGE", 80.0),
    (processes, "EXCESSES", FEW),
    (processes, "EXCESSES", MANY),
    (measurement, "LARGEST_PRIOR", 500.0),
    (measurement, "LARGEST_PRIOR", 50_000.0),
    (measurement, "CEILING_WEIGHT", 0.25),
    (measurement, "CEILING_WEIGHT", 6.0),
    (measurement, "EPOCH_S", 10.0),
    (measurement, "EPOCH_S", 600.0),
)


def main() -> None:
    """Print one table a cell."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.constants")
    parser.add_argument("--rollouts", type=int, default=1000)
    rollouts = parser.parse_args().rollouts
    for cell in (each for each in PLAIN if each.name in NAMES):
        table = Table(title=f"{cell.name}, {rollouts} rollouts", box=None)
        for name in ("constant", "rolled back", "promoted", "min to gate", "to back"):
            table.add_column(name)
        for value, ours in zip(VALUES, decided(cell, rollouts), strict=True):
            table.add_row(_said(value), *_row(ours))
        console.table(table)


def decided(cell: Cell, rollouts: int) -> list[Ours]:
    """The default policy under each value, on the same requests."""
    policy = variant(FIRST)
    _, interval_s = path(policy, RPS)
    stream = Stream(cell, rollouts, RPS, interval_s, [*range(1, 51), 95], seed=1)
    known = Known(stream.history(cell.scrapes))
    found = []
    for value in VALUES:
        with patch.object(*value):
            found.append(Ours(policy, known, stream, RPS))
    for number in range(1, round(MINUTES * 60 / interval_s) + 1):
        tick = stream.tick()
        for value, ours in zip(VALUES, found, strict=True):
            if ours.is_on.any():
                with patch.object(*value):
                    ours.see(tick.at(ours.weight), number * interval_s)
    return found


def _said(value: Value) -> str:
    if value is AS_IT_IS:
        return "as it is"
    _, name, number = value
    return f"{name} {len(number)} of them" if np.ndim(number) else f"{name} {number:g}"


def _row(ours: Ours) -> list[str]:
    shares = (np.mean(~np.isnan(each)) for each in (ours.rolled_back, ours.promoted))
    times = (np.nanmedian(each) / 60 for each in (ours.passed, ours.rolled_back))
    return [*(f"{each:.4f}" for each in shares), *(f"{each:.2f}" for each in times)]


if __name__ == "__main__":
    main()
