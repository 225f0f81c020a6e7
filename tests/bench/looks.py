"""What deciding costs: python -m tests.bench.looks

One look with five metrics and 151 labels, its pages parsed and its journal written; the
pure decision in it, and the evidence in that; a day of looks at four labels replayed;
300 pages over real HTTP; the help text.
"""

import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from io import BytesIO
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import Any
from unittest.mock import patch

from prometheus_client import CollectorRegistry, generate_latest
from rich.table import Table

from predictor.metrics import Metrics
from predictor.protocol import Predictions, Source
from scripts import console
from scripts.local.processes import ROOT
from scripts.rollout.decision.machine import Machine
from scripts.rollout.evidence.evidence import Evidence
from scripts.rollout.journal.file import FileJournal
from scripts.rollout.journal.replay import journal as replayed
from scripts.rollout.loop.runner import Runner
from scripts.rollout.loop.world import World
from scripts.rollout.metrics.port import Pages
from scripts.rollout.metrics.scrape import Scrape
from scripts.rollout.policy.reader import parse
from scripts.rollout.state.actions import Warmed, WarmUp
from scripts.rollout.state.observation import View
from tests.bench.pages import served
from tests.support.predictors import SCORER
from tests.support.worlds import CANARY, STABLE, view

LABELS, TARGETS, LOOKS, DAY = 151, 300, 300, 8640
GATEWAY, PAGES = "http://gateway", {CANARY: "http://canary", STABLE: "http://stable"}
POLICY = """
target: {inferenceservice: intent}
steps: [5, 50]
dependence: {clusterSize: 1}
warmup: 0
metrics:
  - {name: errors, budget: 0.5%}
  - {name: latency, slo: 250ms, budget: 1%}
  - {name: slow, slo: 1s, budget: 1%}
  - {name: unsure, bad: confidence<0.5, budget: 5%}
  - {name: labels, drift: predicted_label, tolerance: 5%}
deadlines: {step: 48h, rollout: 96h, metricsSilence: 48h}
"""
ENVOY = """envoy_cluster_upstream_rq_completed{{envoy_cluster_name="default/{0}"}} {1}
envoy_cluster_upstream_rq_time_count{{envoy_cluster_name="default/{0}"}} {1}
"""
BUCKET = (
    'envoy_cluster_upstream_rq_time_bucket{{envoy_cluster_name="default/{}",'
    'le="{}"}} {}\n'
)
EDGES = (*(0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000), "+Inf")


class Page(BytesIO):
    """An answer of a server that is not asked over a network."""

    status = 200
    headers: Mapping[str, str] = MappingProxyType({})

    def read(self, size: int | None = -1, **options: bool) -> bytes:
        """Return up to `size` bytes."""
        del options
        return super().read(size)

    def release_conn(self) -> None:
        """Keep no connection."""


class Arm:
    """One predictor, whose page is the product's own."""

    def __init__(self, revision: str, labels: int) -> None:
        """Predict so many labels."""
        names = tuple(f"intent-{number}" for number in range(labels))
        self._names, self._registry = names, CollectorRegistry()
        self._metrics = Metrics(
            Source("intent", "v1", revision), SCORER, names, self._registry
        )

    def page(self, number: int) -> bytes:
        """What it says after one request more."""
        name = self._names[number % len(self._names)]
        self._metrics.observe_request("v1", "200", 0.001)
        self._metrics.observe_predictions(Predictions(self._names, [], [name], [0.9]))
        return generate_latest(self._registry)


class Cluster:
    """Traffic, pages and clock, all in memory: few requests, so that it never ends."""

    def __init__(self, folder: Path, labels: int) -> None:
        """Keep the journal in `folder`."""
        self._arms = {PAGES[name]: Arm(name, labels) for name in (CANARY, STABLE)}
        self._percent: int | None = 0
        self._time = 1000.0
        self.pages = {GATEWAY: b""} | dict.fromkeys(self._arms, b"")
        found = Pages((GATEWAY,), predictors=tuple(self._arms))
        world = World(
            self,
            Scrape("default", lambda _: found, http=self),  # type: ignore[arg-type]
            FileJournal(folder),
            lambda: self._time,
            lambda _: None,
            lambda _: None,
        )
        self.runner = Runner(parse(POLICY, "bench"), POLICY, world)
        self.ticks = 0

    def tick(self) -> None:
        """Ten seconds and some requests later."""
        self._time += 10
        self.ticks += 1
        counts = {CANARY: self.ticks // 10, STABLE: 20 * self.ticks}
        gateway = [
            ENVOY.format(name, count)
            + "".join(BUCKET.format(name, edge, count) for edge in EDGES)
            for name, count in counts.items()
        ]
        self.pages[GATEWAY] = "".join(gateway).encode()
        for url, arm in self._arms.items():
            self.pages[url] = arm.page(self.ticks)

    def request(self, method: str, url: str, **options: Any) -> Page:
        """A page, as urllib3 would get it."""
        del method, options
        return Page(self.pages[url])

    def observe(self) -> View:
        """What was asked for is in force."""
        return view(self._percent)

    def set_weight(self, percent: int) -> None:
        """At once."""
        self._percent = percent

    def promote(self) -> None:
        """At once."""
        self._percent = None

    def warm_up(self, asked: WarmUp) -> Warmed:
        """Everything answers."""
        return Warmed(asked.requests, 0)


def main() -> None:
    """Print one table."""
    table = Table("what", "bar", "found")
    with tempfile.TemporaryDirectory() as name:
        look, decision, evidence = _looks(Path(name) / "looks")
        table.add_row("one look, parsed and written", "2 ms of CPU", f"{look:.2f}")
        table.add_row("the decision in it", "", f"{decision:.2f}")
        table.add_row("the evidence in that", "0.2 ms of CPU", f"{evidence:.2f}")
        day = _day(Path(name) / "day")
        table.add_row("a day of looks replayed", "2 s", f"{day:.2f}")
    table.add_row(f"{TARGETS} pages scraped", "1 s", f"{_scraped():.2f}")
    table.add_row("--help", "0.4 s", f"{_help():.2f}")
    console.table(table)


def _looks(folder: Path) -> tuple[float, float, float]:
    """Milliseconds of CPU: of a whole look, of the machine, and of the evidence."""
    cluster = Cluster(folder, LABELS)
    cluster.runner.start()
    looks: list[float] = []
    with _timed(Machine, "step") as steps, _timed(Evidence, "update") as updates:
        for _ in range(LOOKS):
            cluster.tick()
            looks.append(_seconds(cluster.runner.look, time.process_time))
    looks, steps, updates = (each[10:] for each in (looks, steps, updates))
    return median(looks) * 1e3, median(steps) * 1e3, median(updates) * 1e3


@contextmanager
def _timed(owner: type, name: str) -> Iterator[list[float]]:
    """CPU seconds of each call of a method, until the block ends."""
    seconds: list[float] = []
    method = getattr(owner, name)

    def timed(*args: Any) -> Any:
        start = time.process_time()
        found = method(*args)
        seconds.append(time.process_time() - start)
        return found

    with patch.object(owner, name, timed):
        yield seconds


def _day(folder: Path) -> float:
    cluster = Cluster(folder, labels=4)
    cluster.runner.start()
    for _ in range(DAY):
        cluster.tick()
        cluster.runner.look()
    lines = FileJournal(folder).path.read_text().splitlines()
    if len(lines) <= DAY:
        raise RuntimeError(f"{len(lines)} lines: the rollout ended within the day")
    return _seconds(lambda: replayed(lines, None))


def _seconds(
    work: Callable[[], object], clock: Callable[[], float] = time.perf_counter
) -> float:
    start = clock()
    work()
    return clock() - start


def _scraped() -> float:
    """Seconds for all pages, in a process of their own, each on a port of its own."""
    here, there = multiprocessing.Pipe()
    arm = Arm(CANARY, LABELS)
    text = arm.page(1).decode()
    servers = multiprocessing.Process(target=_serve, args=(there, text), daemon=True)
    servers.start()
    urls = here.recv()
    scrape = Scrape("default", lambda _: Pages(predictors=tuple(urls)))
    times = []
    for _ in range(5):
        start = time.perf_counter()
        found = scrape.read([CANARY])
        times.append(time.perf_counter() - start)
        if len(found.reading[CANARY]) != TARGETS:
            raise RuntimeError(f"of {TARGETS} pages not all were read")
    here.send("over")
    servers.join()
    return median(times)


def _serve(there: Connection, text: str) -> None:
    with ExitStack() as stack:
        pages = [stack.enter_context(served(text)) for _ in range(TARGETS)]
        there.send([page.url for page in pages])
        there.recv()


def _help() -> float:
    command: Sequence[str] = [sys.executable, "-m", "scripts.canary", "--help"]
    return median(
        _seconds(lambda: subprocess.run(command, cwd=ROOT, capture_output=True))
        for _ in range(5)
    )


if __name__ == "__main__":
    main()
