"""What is answered under ten times the load, beside what can be (`make bench-goodput`).

The predictor has one processor, and wrk the other, so that neither takes the other's;
few callers and many ask in turns, and the medians are compared.
"""

import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

import psutil
import requests
from rich.table import Table

from scripts import console
from tests.bench.serving import load
from tests.bench.serving.servers import SERVER_CORE
from tests.support.predictors import MODELS, Predictor, predictor

FEW, MANY = 3, 256  # callers: enough to be busy always, and far too many
ROUNDS, SECONDS = 5, 8  # the work that may wait is read, and not answered, at the end
LEAST = 0.9
PATH = "/v1/models/intent:predict"
TEXTS = {
    "1,024 texts of 1 letter": "a",
    "1,024 texts of 220": "where is my parcel? " * 11,
}


class Told(NamedTuple):
    """Answers and refusals a second, and the slowest probe meanwhile."""

    answered: float
    refused: float
    slowest_s: float


def main() -> int:
    """Return 1 if many callers get less than LEAST of what few do."""
    load.needs()
    table = Table(
        *("model", "each request", f"answers/s, {FEW} callers", f"{MANY}", "ratio"),
        *("refusals/s", "slowest probe, ms"),
    )
    ratios = []
    for model in ("v1", "v2"):
        for name, text in TEXTS.items():
            few, many = _measured(model, text)
            ratios.append(many.answered / few.answered)
            figures = (few.answered, many.answered)
            told = [f"{each:.1f}" for each in figures] + [f"{ratios[-1]:.2f}"]
            probed = f"{many.slowest_s * 1000:.0f}"
            table.add_row(model, name, *told, f"{many.refused:.0f}", probed)
    console.table(table)
    return min(ratios) < LEAST


def _measured(model: str, text: str) -> tuple[Told, Told]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with predictor(folder, f"--model_dir={MODELS / model}") as server:
            for thread in psutil.Process(server.process.pid).threads():
                os.sched_setaffinity(thread.id, {int(SERVER_CORE)})
            rounds = [
                [_load(folder, server, text, callers) for callers in (FEW, MANY)]
                for _ in range(ROUNDS)
            ]
    few, many = (
        Told(*map(median, zip(*each, strict=True)))
        for each in zip(*rounds, strict=True)
    )
    slowest = max(most.slowest_s for _, most in rounds)
    return few, many._replace(slowest_s=slowest)


def _load(folder: Path, server: Predictor, text: str, callers: int) -> Told:
    over, slowest = threading.Event(), 0.0

    def probe() -> None:
        nonlocal slowest
        while not over.wait(0.1):
            began = time.monotonic()
            requests.get(f"{server.url}/v2/health/live", timeout=60)
            slowest = max(slowest, time.monotonic() - began)

    probing = threading.Thread(target=probe)
    probing.start()
    body = json.dumps({"instances": [text] * 1024}).encode()
    try:
        found = load.wrk(
            folder, server.url, PATH, [body], connections=callers, seconds=SECONDS
        )
    finally:
        over.set()
        probing.join()
    refused = found.bad / SECONDS
    return Told(found.rps - refused, refused, slowest)


if __name__ == "__main__":
    sys.exit(main())
