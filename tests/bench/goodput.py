"""What is answered under ten times the load, beside what can be (`make bench-goodput`).

The predictor has one processor, and wrk the other, so that neither takes the other's;
few callers and many ask in turns, and the medians are compared.
"""

import os
import re
import subprocess
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
from tests.support.predictors import MODELS, Predictor, predictor

FEW, MANY = 3, 256  # callers: enough to be busy always, and far too many
ROUNDS, SECONDS = 5, 4
LEAST = 0.9
PATH = "/v1/models/intent:predict"
TEXTS = {
    "1,024 texts of 1 letter": "a",
    "1,024 texts of 220": "where is my parcel? " * 11,
}
SCRIPT = """
local texts = {{}}
for i = 1, 1024 do texts[i] = '"{text}"' end
wrk.method, wrk.path = "POST", "{path}"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{{"instances":[' .. table.concat(texts, ",") .. "]}}"
"""


class Told(NamedTuple):
    """Answers and refusals a second, and the slowest probe meanwhile."""

    answered: float
    refused: float
    slowest_s: float


def main() -> int:
    """Return 1 if many callers get less than LEAST of what few do."""
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
    own, other = sorted(os.sched_getaffinity(0))[:2]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        script = folder / "asked.lua"
        script.write_text(SCRIPT.format(text=text, path=PATH))
        with predictor(folder, f"--model_dir={MODELS / model}") as server:
            for thread in psutil.Process(server.process.pid).threads():
                os.sched_setaffinity(thread.id, {own})
            rounds = [
                (_load(server, script, FEW, other), _load(server, script, MANY, other))
                for _ in range(ROUNDS)
            ]
    few, many = (
        Told(*map(median, zip(*each, strict=True)))
        for each in zip(*rounds, strict=True)
    )
    slowest = max(most.slowest_s for _, most in rounds)
    return few, many._replace(slowest_s=slowest)


def _load(server: Predictor, script: Path, callers: int, processor: int) -> Told:
    command = ["taskset", "-c", str(processor), "wrk", "-t1", f"-c{callers}"]
    command += [f"-d{SECONDS}s", "--timeout", "60s", "-s", str(script), server.url]
    over, slowest = threading.Event(), 0.0

    def probe() -> None:
        nonlocal slowest
        while not over.wait(0.1):
            began = time.monotonic()
            requests.get(f"{server.url}/v2/health/live", timeout=60)
            slowest = max(slowest, time.monotonic() - began)

    probing = threading.Thread(target=probe)
    probing.start()
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
    finally:
        over.set()
        probing.join()
    said = ran.stdout
    found = re.search(r"(\d+) requests in ([\d.]+)s", said)
    assert found, said
    others = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    refused, seconds = int(others[1]) if others else 0, float(found[2])
    return Told((int(found[1]) - refused) / seconds, refused / seconds, slowest)


if __name__ == "__main__":
    sys.exit(main())
