"""What shadow buys on real processes: seconds to the verdict, and what users met.

Predictors behind the real Envoy, 60 requests a second, a look each half second, budgets
of 4 %. `met`: users' requests that the canary answered. python -m tests.bench.shadow
"""

import os
import tempfile
from pathlib import Path

from rich.table import Table

from scripts import console
from tests.faults import models
from tests.faults.pipelines import Failing, Healthy, OneClass, Slow
from tests.support.stage import COLD, LocalStage, Verdict, stage

SHADOWS = ("none", "20%", "100%")
CANARIES = {
    "healthy": Healthy,
    "500 to every tenth": lambda inner: Failing(inner, every=10),
    "500 always": lambda inner: Failing(inner, every=1),
    "sleeps 0.4 s": Slow,
    "one class for everything": OneClass,
}


def main() -> None:
    """Print one table."""
    os.environ["RECORDING_TOKEN"] = "bench"
    found = Table(box=None)
    found.add_column("canary")
    for shadow in SHADOWS:
        for what in ("exit", "s", "bad", "met"):
            found.add_column(f"{what}, shadow {shadow}", justify="right")
    with tempfile.TemporaryDirectory() as folder, stage(Path(folder)) as on:
        for name, fault in CANARIES.items():
            cells = [cell for shadow in SHADOWS for cell in _cells(on, fault, shadow)]
            found.add_row(name, *cells)
    console.table(found)


def _cells(on: LocalStage, fault: object, shadow: str) -> list[str]:
    on.canary(fault(models.inner()))  # type: ignore[operator]
    verdict = _run(on, shadow)
    met = sum(_users(look) for look in on.records())
    return [
        str(verdict.code),
        f"{verdict.seconds:.1f}",
        str(verdict.bad),
        f"{met:.0f}",
    ]


def _run(on: LocalStage, shadow: str) -> Verdict:
    """One rollout; without a warm-up, which would meet a broken canary first."""
    policy = COLD
    return on.run(
        policy if shadow == "none" else f"shadow: {{share: {shadow}}}\n{policy}"
    )


def _users(look: dict[str, dict[str, dict[str, dict[str, list[float]]]]]) -> float:
    """Users' requests that the canary answered between two looks."""
    delta = look["seen"]["delta"]
    return delta["metrics"]["errors"][1] if delta else 0.0


if __name__ == "__main__":
    main()
