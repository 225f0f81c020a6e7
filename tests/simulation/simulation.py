"""One schedule: a promoter, its cluster, its users and its faults, to the end."""

import hashlib
import json
import random
import tempfile
import threading
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from scripts.rollout.cluster.client import Cluster
from scripts.rollout.errors import Exit, RolloutError
from scripts.rollout.journal.configmap import ConfigMapJournal
from scripts.rollout.journal.file import FileJournal
from scripts.rollout.journal.port import SharedJournal
from scripts.rollout.loop.runner import Runner
from scripts.rollout.loop.world import World
from scripts.rollout.policy import reader
from scripts.rollout.traffic.knative import KnativeTraffic
from tests.simulation.book import Book
from tests.simulation.clock import Clock, Killed
from tests.simulation.events import Events
from tests.simulation.faults import Faults
from tests.simulation.kubernetes import SERVICE, Kubernetes
from tests.simulation.process import Process
from tests.simulation.real_time import simulated
from tests.simulation.users import Users
from tests.simulation.wire import SERVER, Wire

COUNTS = ("gateway", "queue-proxy", "predictor")
POLICY = """
target: {{inferenceservice: intent, backend: knative}}
steps: [20, 50]
dwell: 4s
bake: {{duration: 8s}}
dependence: {{clusterSize: 1}}
warmup: 1
metrics:
- {{name: errors, budget: 2%}}
- {{name: latency, slo: 250ms, budget: 2%}}
guards: {{readyTimeout: 40s}}
deadlines: {{step: 60s, rollout: 4m, metricsSilence: 20s, rollback: 20s}}
source: {{interval: 2s, counts: {counts}}}
"""
BASE = 0.01  # of all requests fail, with any revision
# Over its budget of 2 % of all traffic at every weight but the first, or far over it.
EXCESSES = (0.0, 0.0, 0.05, 0.3)
# A rollout, two rollbacks, restarts, a clock that jumped.
ENDS_S = 240.0 + 2 * 20.0 + 120.0 + 120.0
AGAIN = (Exit.UNREACHABLE, Exit.UNVERIFIED)  # for which a Job starts its pod anew


@dataclass
class Result:
    """What a schedule led to; `broken` names what must never be, in words."""

    seed: int
    excess: float
    outcome: str
    digest: str
    broken: list[str]
    faults: dict[str, int]
    steered: bool
    looks: int


@dataclass
class Simulation:
    """One schedule, drawn from a seed."""

    seed: int
    folder: Path
    broken: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    synced: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Draw the world: the canary, who counts, where the journal is."""
        draw = random.Random(f"world {self.seed}")
        self.excess = draw.choice(EXCESSES)
        self.on_cluster = draw.random() < 0.7
        self.text = POLICY.format(counts=draw.choice(COUNTS))
        self.policy = reader.parse(self.text, "simulation")
        self.clock, self.faults = Clock(), Faults.drawn(self.seed)
        self.users = Users(np.random.default_rng(self.seed))
        self.lag_s = (0.05, 0.5)
        self.cluster = Kubernetes(self.clock, self.users, self._lag)
        self.book = Book(self.cluster, None if self.on_cluster else self.folder)
        self.events = Events(self)

    def _lag(self) -> float:
        return self.faults.random.uniform(*self.lag_s)

    def run(self) -> Result:
        """Run to the end."""
        current = threading.local()
        self._current = current
        with simulated(self.clock, lambda file: current.process.sync(file)):
            self._prepare()
            self.clock.spawn(0.0, lambda: self.supervise("promoter-1", "job-1"))
            for time, kind in self.faults.events:
                self.clock.at(time, partial(self.events.happen, kind))
            self.clock.at(self.faults.calm, self.events.calm)
            self.clock.run(self.faults.calm + ENDS_S)
            return self._result()

    def _prepare(self) -> None:
        service = {"apiVersion": "v1beta1", "kind": "InferenceService"}
        metadata = {"name": "intent", "uid": "u-1", "generation": 0}
        self.cluster.objects[SERVICE] = {
            **service,
            "metadata": {**metadata, "resourceVersion": "0"},
            "status": {"deploymentMode": "Knative"},
        }
        self.clock.now = -60.0
        self.users.advance(-60.0)
        self.cluster.apply("v1", None, BASE)
        self.clock.spawn(0.0, lambda: None)
        self.clock.run(-20.0)
        self.clock.is_over = False
        self.cluster.apply("v2", 0, BASE + self.excess)
        self.clock.run(-0.001)
        self.clock.is_over = False
        self.clock.now = 0.0
        self.users.remember()
        self.book.watch(self.broken)

    def supervise(self, name: str, holder: str) -> None:
        """Run a promoter, and again after a crash, as a Job does."""
        for number in range(20):
            process = Process(f"{name}.{number}", self.clock, self.faults)
            process.blind, process.synced = self.events.blind, self.synced
            self._current.process = process
            self.events.processes.append(process)
            code = self._promoted(process, holder)
            if code is not None and code not in AGAIN:
                return
            self.clock.sleep(self.faults.random.uniform(1.0, 10.0))

    def _promoted(self, process: Process, holder: str) -> Exit | None:
        """Run one process; return its exit code, None if it was killed."""
        try:
            return self._run(process, holder)
        except Killed:
            if self.clock.is_over:
                raise
            self.say(process, "killed")
            return None
        except RolloutError as error:
            self.say(process, f"{type(error).__name__}: {error}")
            return error.code
        except Exception as error:  # noqa: BLE001 - each of them is a finding
            self.broken.append(f"ended by {type(error).__name__}: {error}")
            return None

    def _run(self, process: Process, holder: str) -> Exit:
        api = Cluster(SERVER, Wire(process, self.cluster))
        policy = self.policy
        traffic = KnativeTraffic(api, policy.target, policy.counted_by)
        journal: SharedJournal = FileJournal(self.folder)
        if self.on_cluster:
            journal = ConfigMapJournal(api, "default", "intent", holder, SERVICE)
        world = World(
            traffic=traffic,
            metrics=traffic.metrics(),
            journal=journal,
            now=self.clock.wall,
            sleep=process.sleep,
            say=lambda text: self.say(process, text),
        )
        with journal.lock():
            code = Runner(policy, self.text, world).run()
        self.say(process, f"exit {code.name}")
        return code

    def say(self, process: Process, text: str) -> None:
        """Keep a line of output."""
        self.said.append(f"{self.clock.now:8.3f} {process.name}: {text}")

    def _result(self) -> Result:
        self.book.close(self.broken, is_steered=self.events.is_steered)
        told = json.dumps([self.said, self.book.lines]).encode()
        return Result(
            seed=self.seed,
            excess=self.users.fails.get(self.book.canary, BASE) - BASE,
            outcome=self.book.outcome,
            digest=hashlib.sha256(told).hexdigest(),
            broken=self.broken,
            faults=self.faults.seen,
            steered=self.events.is_steered,
            looks=self.book.looks,
        )


def run(seed: int) -> Result:
    """Run the schedule of a seed."""
    return simulation(seed)[1]


def simulation(seed: int) -> tuple[Simulation, Result]:
    """Run the schedule of a seed; return it too, with what it said."""
    where: Any = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=where) as folder:
        made = Simulation(seed, Path(folder) / "default.intent")
        return made, made.run()
