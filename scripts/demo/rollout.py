"""The second half of the demo: a good canary is promoted, a bad one rolled back.

The promotion script does both, as a process that is watched live, under generated load.
"""

import csv
import json
import subprocess
import sys
import tempfile
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import yaml

from scripts import console
from scripts.inference.clients import Answer, Target, connect
from scripts.inference.load import steady
from scripts.local import processes
from scripts.local.__main__ import main as local

FOLDER = processes.ROOT / ".local"
POLICY = "manifests/rollout-demo.yaml"
SENTENCES = processes.ROOT / "training" / "data" / "intents.csv"
JOURNAL = FOLDER / "rollouts" / "default.intent" / "journal.jsonl"
REPORT = JOURNAL.with_name("report.html")
RPS = 150.0
CONCURRENCY = 8
LAST_LINES = 3


def promote(gateway: str, policy: str = POLICY) -> int:
    """Roll v2 out by evidence; return 0 if it was promoted."""
    return _run(gateway, policy, wanted=0)


def undo() -> int:
    """Take v2 back, so that the next version meets v1 again."""
    undone = [sys.executable, "-m", "scripts.canary", "undo", "intent", "--local"]
    return subprocess.run(undone, cwd=processes.ROOT).returncode


def faulty(folder: str) -> Path:
    """Write a model that answers 500 to every tenth request."""
    model = Path(folder) / "failing"
    fault = [sys.executable, "-m", "tests.faults.models", str(model)]
    subprocess.run(fault, cwd=processes.ROOT, check=True)
    return model


def expect_rollback(gateway: str, policy: str = POLICY) -> int:
    """Roll the version out that is there; return 0 if it was rolled back."""
    return _run(gateway, policy, wanted=10)


def roll_back(gateway: str) -> int:
    """Apply a canary that answers 500 to every tenth request; 0 if rolled back."""
    with tempfile.TemporaryDirectory() as folder:
        model = faulty(folder)
        document = yaml.safe_load(
            (processes.ROOT / "manifests/isvc-v2.yaml").read_text()
        )
        predictor = document["spec"]["predictor"]
        predictor["canaryTrafficPercent"] = 0
        trusted = "--trusted_modules=tests.faults.pipelines"
        predictor["containers"][0]["args"][1:3] = [f"--model_dir={model}", trusted]
        path = Path(folder) / "isvc.yaml"
        path.write_text(yaml.safe_dump(document))
        return local(["apply", "-f", str(path)]) or expect_rollback(gateway)


def _run(gateway: str, policy: str, *, wanted: int) -> int:
    canary = [sys.executable, "-m", "scripts.canary"]
    console.out.print(f"$ python -m scripts.canary run -f {policy} &", markup=False)
    console.out.print("$ python -m scripts.canary watch intent", markup=False)
    command = [*canary, "run", "-f", policy]
    pipe = subprocess.PIPE
    with (
        _users(gateway) as answers,
        subprocess.Popen(command, cwd=processes.ROOT, stdout=pipe, text=True) as run,
    ):
        assert run.stdout is not None
        begun = run.stdout.readline()
        subprocess.run([*canary, "watch", "intent"], cwd=processes.ROOT)
        said = (begun + run.stdout.read()).splitlines()[-1:]
    console.out.print(*said, markup=False, highlight=False)
    failed = sum(1 for each in answers if each.error)
    console.out.print(
        f"{len(answers)} requests meanwhile, {failed} of them failed; the journal ends:"
    )
    for line in JOURNAL.read_text(encoding="utf-8").splitlines()[-LAST_LINES:]:
        record = json.loads(line)
        record["notes"] = [note["text"] for note in record.get("notes", ())]
        kept = {
            name: record[name]
            for name in ("seq", "kind", "phase", "weight", "notes", "action", "verdict")
            if record.get(name) not in (None, [])
        }
        console.out.print(f"  {record['hash'][:12]} {json.dumps(kept)}", markup=False)
    return 0 if run.returncode == wanted else 1


def _users(gateway: str) -> AbstractContextManager[list[Answer]]:
    """Send the project's own sentences at a steady rate."""
    with SENTENCES.open(encoding="utf-8") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    ask = partial(connect, "v2", Target(gateway, None, "intent"))
    return steady(ask, texts, RPS, CONCURRENCY)
