"""50 ends under load, each way: how many requests are lost? (`make bench-drains`).

Directly the callers stop when the predictor says that it is not ready, as an endpoint's
do. Behind local mode's Envoy they never stop: two revisions have half of the traffic
each, and are ended in turn.
"""

import argparse
import signal
import sys
import tempfile
import time
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from rich.table import Table

from scripts import console
from scripts.local import processes
from scripts.local.processes import Child
from tests.support.backends import HOST, Local, intent, local, settles
from tests.support.callers import KINDS, Callers
from tests.support.predictors import predictor
from tests.support.waiting import until

DRAINS = 50
LOADED = 200  # answers before each
WAIT_S = 120.0


class Told(NamedTuple):
    """What one way gave; `slowest_s` is from SIGTERM to the process' end."""

    way: str
    drains: int
    answered: int
    lost: list[str]
    slowest_s: float


def main() -> int:
    """Return 1 if a request was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--drains", type=int, default=DRAINS)
    drains = parser.parse_args().drains
    with tempfile.TemporaryDirectory() as folder:
        told = [_directly(Path(folder), drains), _behind_envoy(Path(folder), drains)]
    table = Table(*("way", "drains", "answered", "lost", "slowest end, s"))
    for each in told:
        counts = map(str, (each.drains, each.answered, len(each.lost)))
        table.add_row(each.way, *counts, f"{each.slowest_s:.1f}")
    console.table(table)
    print(*(fault for each in told for fault in each.lost), sep="\n")
    return any(each.lost for each in told)


def _directly(folder: Path, drains: int) -> Told:
    answers, lost, slowest = 0, [], 0.0
    for _, kind in zip(range(drains), cycle(KINDS.values()), strict=False):
        with predictor(folder) as server:
            address = urlsplit(server.url).netloc
            callers = Callers(address, {"content-type": kind})
            until(partial(_have_asked, callers, LOADED), WAIT_S)
            began = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            callers.end_when_unready()
            server.process.wait(WAIT_S)
            slowest = max(slowest, time.monotonic() - began)
            answers += callers.answered
            lost += callers.lost
    return Told("directly", drains, answers, lost, slowest)


def _behind_envoy(folder: Path, drains: int) -> Told:
    with local(folder) as backend:
        backend.apply(intent("v1"))
        settles(backend, [("1", 100)], created="1")
        backend.apply(intent("v2", 50))
        settles(backend, [("2", 50), ("1", 50)], created="2")
        address = urlsplit(backend.url).netloc
        headers = {"content-type": KINDS["hot"], "host": HOST}
        slowest, callers = 0.0, Callers(address, headers)
        for _, revision in zip(range(drains), cycle(("00001", "00002")), strict=False):
            until(partial(_have_asked, callers, callers.answered + LOADED), WAIT_S)
            child = _child(backend, revision)
            began = time.monotonic()
            child.terminate()
            until(partial(_is_gone, child), WAIT_S)
            slowest = max(slowest, time.monotonic() - began)
            until(partial(_is_back, backend, revision), WAIT_S)
        callers.end()
    return Told("behind Envoy", drains, callers.answered, callers.lost, slowest)


def _have_asked(callers: Callers, many: int) -> bool:
    return callers.answered >= many or bool(callers.lost)


def _is_gone(child: Child) -> bool:
    return not child.is_alive()


def _is_back(backend: Local, revision: str) -> bool:
    answer = backend.ask(backend.host)
    return answer.headers.get("x-revision", "").endswith(revision)


def _child(backend: Local, revision: str) -> Child:
    every = processes.find(backend.folder)
    return next(each for each in every if each.role.endswith(revision))


if __name__ == "__main__":
    sys.exit(main())
