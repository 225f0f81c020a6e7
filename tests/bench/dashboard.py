"""What the page costs: 50 rollouts that look every ten seconds, and a Chromium.

python -m tests.bench.dashboard: processor time of the page's server and of the browser
that shows it, in percent of one core, without what made the rollouts.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.support import commands
from tests.support.shown import Shown, started
from tests.support.tab import Tab, tab

ROLLOUTS, INTERVAL_S, MEASURED_S = 50, 10.0, 60.0
ARTICLES = "document.querySelectorAll('article').length"


def _used_s(process: psutil.Process) -> float:
    """Processor seconds of a process and of all below it."""
    every = [process, *process.children(recursive=True)]
    return sum(sum(each.cpu_times()[:2]) for each in every)


def _look(worlds: list[Shown], until: float) -> None:
    """Each looks once in an interval, one after the other."""
    turn = 0
    while time.monotonic() < until:
        began = time.monotonic()
        worlds[turn % ROLLOUTS].looks(1)
        turn += 1
        time.sleep(max(began + INTERVAL_S / ROLLOUTS - time.monotonic(), 0.0))


def _measured(state: Path, page: Tab, server: psutil.Process) -> dict[str, float]:
    names = [f"rollout-{number:02}" for number in range(ROLLOUTS)]
    worlds = [Shown(state, name, age_s=600).looks(4) for name in names]
    page.until(f"{ARTICLES} === {ROLLOUTS}")
    (browser,) = [
        each for each in psutil.Process().children() if "chrom" in each.name()
    ]
    processes = {"server": server, "browser": browser}
    began, before = time.monotonic(), {k: _used_s(p) for k, p in processes.items()}
    _look(worlds, began + MEASURED_S)
    took = time.monotonic() - began
    return {k: 100 * (_used_s(p) - before[k]) / took for k, p in processes.items()}


def main() -> int:
    """Print both shares."""
    with tempfile.TemporaryDirectory() as made, tab(Path(made)) as page:
        state = Path(made)
        process, address = started("--local", "--dir", made)
        try:
            page.open(address)
            found = _measured(state, page, psutil.Process(process.pid))
        finally:
            commands.end(process)
    print(json.dumps({name: round(share, 2) for name, share in found.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
