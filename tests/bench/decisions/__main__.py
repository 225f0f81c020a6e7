"""Decisions compared: this project's, other tools', published tests'.

All see the same requests. python -m tests.bench.decisions --table plain
"""

import argparse
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from scripts import console
from tests.bench.decisions import report
from tests.bench.decisions.run import Ends, run
from tests.bench.decisions.situations.tables import TABLES, Table

CHUNK = 500  # rollouts at a time: arrays that fit in a cache, and work for two


def main(argv: list[str] | None = None) -> int:
    """Print every table; 1 where something that must hold does not."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.decisions")
    parser.add_argument("--rollouts", type=int, default=5000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--table", choices=list(TABLES), action="append")
    options = parser.parse_args(argv)
    missed: list[str] = []
    with ProcessPoolExecutor(options.jobs) as pool:
        for name in options.table or list(TABLES):
            table, began = TABLES[name], time.monotonic()
            console.out.print(
                f"\n{table.title}, looked at for {table.minutes:g} minutes"
            )
            for number, ends in enumerate(_cells(pool, table, options.rollouts)):
                cell = table.cells[number]
                console.table(report.of(table, cell, ends))
                missed += report.misses(cell, ends)
            took = time.monotonic() - began
            console.out.print(f"{name}: {took:.0f} s on {options.jobs} processes")
    for line in missed:
        console.err.print(f"missed: {line}", markup=False)
    return 1 if missed else 0


def _cells(
    pool: ProcessPoolExecutor, table: Table, rollouts: int
) -> Iterator[list[Ends]]:
    """Each cell's policies, all its rollouts together."""
    wanted = round(rollouts * table.rollouts)
    sizes = [min(CHUNK, wanted - done) for done in range(0, wanted, CHUNK)]
    asked = [
        [pool.submit(run, table, cell, size, i) for i, size in enumerate(sizes)]
        for cell in table.cells
    ]
    for parts in asked:
        several = [each.result() for each in parts]
        yield [Ends.joined(each) for each in zip(*several, strict=True)]


if __name__ == "__main__":
    sys.exit(main())
