"""A stable, a faulty canary, users in front of Envoy, and the real command line."""

import csv
import hashlib
import json
import random
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Generic, TypeVar

import requests

from scripts.inference.clients import Answer, Target, connect
from scripts.inference.load import steady
from scripts.local.manifest import PROGRESS_DEADLINE
from scripts.local.processes import ROOT
from tests.faults import models, pipelines
from tests.support import commands
from tests.support.backends import Backend, Local, intent, local, serves, settles
from tests.support.waiting import PATIENCE_S, until

RPS = 60.0
SLO_MS = 250.0
TAUGHT_S = 200.0
# Of requests, before it means something that none failed.
LEAST = 30
DATA = ROOT / "training" / "data" / "intents.csv"
STABLE = "intent-predictor-00001"
POLICY = """
steps: [10, 50]
dwell: 1s
bake: {duration: 2s}
dependence: {clusterSize: 1}
warmup: {requests: 5, settle: 5s}
metrics:
  - {name: errors, budget: 4%, weight: 3}
  - {name: latency, slo: 1s, budget: 4%, weight: 3}
  - {name: labels, drift: predicted_label, tolerance: 10%, weight: 1}
deadlines: {step: 60s, rollout: 90s, metricsSilence: 3s, rollback: 20s}
source: {interval: 500ms}
"""
# Only where slowness is the fault: a busy machine stalls one arm for longer than this.
QUICK = POLICY.replace("slo: 1s", "slo: 250ms")
# Users meet the canary as it starts.
COLD = POLICY.replace("warmup: {requests: 5, settle: 5s}", "warmup: 0")


Somewhere = TypeVar("Somewhere", bound=Backend)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a run ended, what it said, how long it took, what users met meanwhile.

    `bad` answers were slow or `failed`.
    """

    code: int
    said: str
    seconds: float
    bad: int
    answers: int
    failed: int = 0


class Promoting(ABC):
    """Runs the promotion script, whatever it promotes."""

    @abstractmethod
    def command(self, *args: str) -> list[str]:
        """The command line of a verb."""

    @abstractmethod
    def policy(self, text: str = POLICY) -> Path:
        """A policy file."""

    @abstractmethod
    def users(self, rps: float = RPS) -> AbstractContextManager[list[Answer]]:
        """Requests at a steady rate until the block ends, and their answers."""

    def verb(self, *args: str) -> tuple[int, str]:
        """Run a verb to its end: exit code, and what it printed."""
        done = subprocess.run(
            self.command(*args), cwd=ROOT, capture_output=True, text=True, timeout=110
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout + done.stderr

    def start(self, policy: str = POLICY) -> "subprocess.Popen[str]":
        """Start `run`, without waiting for it."""
        command = self.command("run", "-f", str(self.policy(policy)))
        pipe, merged = subprocess.PIPE, subprocess.STDOUT
        return commands.start(command, stdout=pipe, stderr=merged)

    def run(self, policy: str = POLICY, rps: float = RPS) -> Verdict:
        """Run a rollout under load, to its verdict."""
        began = time.monotonic()
        with self.users(rps) as answers:
            code, said = self.verb("run", "-f", str(self.policy(policy)))
        seconds = time.monotonic() - began
        assert answers, "no user asked"
        bad = [each for each in answers if each.error or each.latency_ms > SLO_MS]
        failed = [each for each in bad if each.error]
        return Verdict(code, said, seconds, len(bad), len(answers), len(failed))


class Stage(Promoting, Generic[Somewhere]):
    """Somewhere with a stable revision; canaries come and go."""

    def __init__(self, backend: Somewhere, folder: Path) -> None:
        """Keep models and policies below `folder`."""
        self.backend = backend
        self.folder = folder

    def apply(self, model: Path, percent: int | None = 0, **annotations: str) -> str:
        """Apply `model` as the newest revision; its name."""
        document = intent("v2", percent)
        document["metadata"]["annotations"] |= annotations
        pin = []
        pickle = model / "intent_model.pkl"
        if pickle.is_file():  # a fault is no text pipeline: only a pin lets it start
            digest = hashlib.sha256(pickle.read_bytes()).hexdigest()
            pin = [f"--model_sha256={digest}"]
        serves(document, str(model), *pin)
        self.backend.apply(document)
        return self.newest()

    def canary(self, pipeline: Any, percent: int = 0, deadline: str = "120s") -> str:
        """A new revision of this pipeline, given up after `deadline`."""
        name = f"{type(pipeline).__name__.lower()}-{time.monotonic_ns()}"
        model = models.write(self.folder / name, pipeline)
        before = self.newest()
        self.apply(model, percent, **{PROGRESS_DEADLINE: deadline})
        self.until(lambda: self.newest() != before)
        return self.newest()

    def newest(self) -> str:
        """The revision that was created last."""
        predictor = self.backend.status().get("components", {}).get("predictor", {})
        return str(predictor.get("latestCreatedRevision", ""))

    def is_ready(self) -> bool:
        """Whether the newest revision is."""
        predictor = self.backend.status()["components"]["predictor"]
        return bool(predictor["latestReadyRevision"] == self.newest())

    def percent(self, revision: str) -> int:
        """What the status says that a revision gets."""
        predictor = self.backend.status()["components"]["predictor"]
        traffic = predictor["traffic"]
        return sum(t["percent"] for t in traffic if t["revisionName"] == revision)

    def until(self, is_so: Callable[[], Any], seconds: float = PATIENCE_S) -> Any:
        """Wait until something is true; the newest status is shown if it never is."""
        return until(is_so, seconds, self.backend.status)

    def command(self, *args: str) -> list[str]:
        """The command line of a verb."""
        flags = self.backend.flags(args[0])
        return [sys.executable, "-m", "scripts.canary", *args, *flags]

    def policy(self, text: str = POLICY) -> Path:
        """A policy file."""
        path = self.folder / "rollout.yaml"
        path.write_text(f"target: {self.backend.target}\n{text}")
        return path

    def users(self, rps: float = RPS) -> AbstractContextManager[list[Answer]]:
        """Requests at a steady rate until the block ends, and their answers."""
        there = Target(self.backend.url, self.backend.host, "intent")
        ask = partial(connect, "v2", there)
        return steady(ask, texts(), rps, concurrency=8)

    def taught(self, policy: str) -> tuple[int, str]:
        """Run a rollout to its verdict while true labels come, late and twice."""
        file = self.folder / "labels.csv"
        with self._named_users() as truth:
            promoter = self.start(policy)
            deadline = time.monotonic() + TAUGHT_S
            while not is_over(promoter):
                assert time.monotonic() < deadline, "no verdict"
                rows = [f"{name},{label}" for name, label in list(truth.items())]
                rows += [*rows[:3], "never-asked,praise"]
                file.write_text("\n".join(["id,label", *rows]))
                code, said = self.verb("feedback", "intent", str(file))
                assert code in (0, 2), said
            said, _ = promoter.communicate()
        return promoter.returncode, said

    @contextmanager
    def _named_users(self) -> Iterator[dict[str, str]]:
        """Requests with ids of their own, and the true label of each."""
        with DATA.open(encoding="utf-8") as file:
            rows = [(row["text"], row["intent"]) for row in csv.DictReader(file)][::37]
        truth: dict[str, str] = {}
        ended = threading.Event()
        url = f"{self.backend.url}/v2/models/intent/infer"

        def work() -> None:
            with requests.Session() as session:
                session.headers["Host"] = self.backend.host or ""
                for number in count():
                    if ended.wait(1 / RPS):
                        return
                    text, label = rows[number % len(rows)]
                    tensor = {"name": "text", "datatype": "BYTES", "shape": [1]}
                    body = {"id": f"r{number}", "inputs": [{**tensor, "data": [text]}]}
                    session.post(url, json=body, timeout=10)
                    truth[f"r{number}"] = label

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield truth
        finally:
            ended.set()
            thread.join()

    def records(self, kind: str = "look") -> list[dict[str, Any]]:
        """Lines of the journal, of the newest rollout."""
        text = self.backend.journal.read_text()
        lines = [json.loads(line) for line in text.splitlines()]
        begins = [i for i, each in enumerate(lines) if each["kind"] == "begin"]
        return [each for each in lines[begins[-1] :] if each["kind"] == kind]


def is_over(promoter: "subprocess.Popen[str]", wait_s: float = 1.0) -> bool:
    """Whether a promoter has ended, or ends within a moment."""
    with suppress(subprocess.TimeoutExpired):
        promoter.wait(wait_s)
    return promoter.returncode is not None


def check_answered(answers: Sequence[Answer], least: int = LEAST) -> None:
    """So many requests were sent, and none of them failed."""
    assert len(answers) >= least, f"only {len(answers)} requests were sent"
    failed = [each.error for each in answers if each.error]
    assert not failed, failed


LocalStage = Stage[Local]


def incidental(folder: Path) -> pipelines.Healthy:
    """Good, but for the time of an incident that both arms share."""
    return pipelines.Failing(models.inner(), every=8, flag=folder / "incident")


def texts() -> list[str]:
    """What users say: some of the project's own sentences, in no order of intents."""
    with DATA.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[::37]
    return [row["text"] for row in random.Random(7).sample(rows, len(rows))]


@contextmanager
def stage(folder: Path) -> Iterator[LocalStage]:
    """A stable revision of the good pipeline, rolled out in full.

    While the file `incident` exists, one in eight of its answers is a 500.
    """
    with local(folder) as backend:
        built = Stage(backend, folder)
        built.apply(models.write(folder / "good", incidental(folder)), None)
        settles(backend, [("1", 100)], created="1")
        yield built
