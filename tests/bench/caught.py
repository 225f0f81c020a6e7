"""Bad answers until the rollback, on real processes: python -m tests.bench.caught

Predictors behind the real Envoy, 50 requests a second, a look each ten seconds, budgets
of 0.5 % errors and 1 % over 250 ms: what DECISIONS.md simulates. The stable has no
errors of its own here. Also the promoter's memory, as it runs.
"""

import argparse
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import psutil
from rich.table import Table

from scripts import console
from tests.faults import models
from tests.faults.pipelines import Failing
from tests.support.stage import LocalStage, is_over, stage

RPS, RUNS, LONGEST_S = 50.0, 3, 3600.0
POLICY = """
steps: auto
dependence: {clusterSize: 1}
warmup: 0
metrics:
  - {name: errors, budget: 0.5%}
  - {name: latency, slo: 250ms, budget: 1%}
source: {interval: 10s}
"""
CANARIES = {"500 always": 1, "500 to every tenth": 10, "500 to 2 %": 50}


@dataclass(frozen=True, slots=True)
class Run:
    """A rollout: its exit, minutes, failed answers, and the promoter's peak memory."""

    code: int
    minutes: float
    bad: int
    rss_mib: float


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.caught")
    parser.add_argument("--runs", type=int, default=RUNS)
    runs = parser.parse_args().runs
    found = Table("canary", "exits", "minutes", "bad answers", "mean", "promoter MiB")
    with tempfile.TemporaryDirectory() as folder, stage(Path(folder)) as on:
        for name, every in CANARIES.items():
            done = [_run(on, every) for _ in range(runs)]
            found.add_row(
                name,
                ", ".join(str(each.code) for each in done),
                ", ".join(f"{each.minutes:.1f}" for each in done),
                ", ".join(str(each.bad) for each in done),
                f"{mean(each.bad for each in done):.1f}",
                f"{max(each.rss_mib for each in done):.0f}",
            )
    console.table(found)


def _run(on: LocalStage, every: int) -> Run:
    on.canary(Failing(models.inner(), every=every))
    began = time.monotonic()
    with on.users(RPS) as answers:
        promoter = on.start(POLICY)
        memory = max(_memory(promoter), default=0.0)
        promoter.communicate()
    minutes = (time.monotonic() - began) / 60
    failed = sum(bool(each.error) for each in answers)
    return Run(promoter.returncode, minutes, failed, memory)


def _memory(promoter: "subprocess.Popen[str]") -> Iterator[float]:
    """Resident memory in MiB once a second, as long as it runs, or LONGEST_S."""
    process, deadline = psutil.Process(promoter.pid), time.monotonic() + LONGEST_S
    while not is_over(promoter) and time.monotonic() < deadline:
        yield process.memory_info().rss / 2**20


if __name__ == "__main__":
    main()
