"""The managed home without the service: its stand-in before two real predictors."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import requests

from scripts.inference.clients import Answer
from scripts.inference.load import steady
from scripts.local.processes import ROOT, free_ports
from tests.support import commands
from tests.support.aws_wire import served
from tests.support.predictors import MODELS
from tests.support.sagemaker import NAME, Arm, Service
from tests.support.stage import RPS, Promoting, texts
from tests.support.waiting import until

# Shorter periods than the service has; the rest is as the shipped policy.
POLICY = """
steps: [10, 50]
dwell: 1s
bake: {duration: 2s}
dependence: {clusterSize: 1}
warmup: {requests: 5, settle: 5s}
metrics:
  - {name: errors, budget: 4%, weight: 3}
  - {name: latency, slo: 1s, budget: 4%, weight: 3}
deadlines: {step: 90s, rollout: 120s, metricsSilence: 20s, rollback: 60s}
source: {interval: 1s, cloudwatch: {period: 1s, lag: 2s}}
"""


def environment(url: str) -> dict[str, str]:
    """What boto3 reads: where AWS is, and who asks."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
    }


class SagemakerHome(Promoting):
    """An endpoint with v1 at the stable variant; each test brings its canary."""

    def __init__(self, folder: Path) -> None:
        """Keep everything below `folder`."""
        self.folder = folder
        self.ports = dict(zip(("stable", "canary"), free_ports(2), strict=True))
        urls = {k: f"http://127.0.0.1:{port}" for k, port in self.ports.items()}
        self.service = Service(urls, updating_s=2.0, late_s=1.0)
        self.url = ""
        self.predictors: dict[str, subprocess.Popen[bytes]] = {}

    def serve(self, variant: str, model: Path) -> None:
        """Start a container as the service does, but for its root and its port."""
        command = [sys.executable, "-P", "-m", "predictor", "serve"]
        flags = [f"--model_dir={model}", f"--http_port={self.ports[variant]}"]
        pin = json.loads((model / "metadata.json").read_text())["sha256"]
        flags += [f"--revision={variant}", f"--model_sha256={pin}"]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        with (self.folder / f"{variant}.log").open("ab") as log:
            self.predictors[variant] = subprocess.Popen(
                [*command, *flags], cwd=ROOT, env=env, stdout=log, stderr=log
            )
        until(lambda: self._pings(variant), shown=self.said)

    def _pings(self, variant: str) -> bool:
        try:
            return requests.get(f"{self.service.urls[variant]}/ping", timeout=1).ok
        except requests.RequestException:
            return False

    def stop(self, variant: str) -> None:
        """End a container, where there is one."""
        process = self.predictors.pop(variant, None)
        if process is not None:
            commands.end(process)

    def said(self) -> str:
        """What the containers wrote."""
        return "".join(each.read_text() for each in self.folder.glob("*.log"))

    def forget(self) -> None:
        """Begin as if there had been no rollout."""
        for each in ("rollouts", "sagemaker"):
            shutil.rmtree(self.folder / each, ignore_errors=True)
        self.service.status = "InService"
        self.service.arms = {"stable": Arm.of(100.0, 1), "canary": Arm.of(0.0, 1)}

    def weights(self) -> tuple[float, float]:
        """The weights in force."""
        self.service.describe_endpoint(NAME)
        one, other = (arm.weight for arm in self.service.arms.values())
        return one, other

    def users(self, rps: float = RPS) -> AbstractContextManager[list[Answer]]:
        """Invocations at a steady rate until the block ends, and their answers."""
        return steady(lambda: _Caller(self.url), texts(), rps, concurrency=8)

    def policy(self, text: str = POLICY) -> Path:
        """A policy for this endpoint."""
        path = self.folder / "rollout.yaml"
        path.write_text(f"target: {{endpoint: {NAME}, backend: sagemaker}}\n{text}")
        return path

    def command(self, *args: str) -> list[str]:
        """A verb of the promotion script, its journal in this folder."""
        pairs = (f"{key}={value}" for key, value in environment(self.url).items())
        here = ["--dir", str(self.folder)]
        return ["env", *pairs, sys.executable, "-m", "scripts.canary", *args, *here]

    def records(self, kind: str = "look") -> list[dict[str, Any]]:
        """Lines of the journal, none before it is begun."""
        path = self.folder / "rollouts" / f"default.{NAME}" / "journal.jsonl"
        text = path.read_text() if path.exists() else ""
        lines = [json.loads(line) for line in text.splitlines()]
        return [each for each in lines if each["kind"] == kind]


class _Caller:
    """A user, who asks the endpoint over one connection."""

    def __init__(self, url: str) -> None:
        """Ask at `url`."""
        self._url = f"{url}/endpoints/{NAME}/invocations"
        self._session = requests.Session()

    def __call__(self, text: str) -> Answer:
        """Ask for one text."""
        began = time.perf_counter()
        headers = {"Content-Type": "application/json"}
        answer = self._session.post(self._url, json={"text": text}, headers=headers)
        took = 1000 * (time.perf_counter() - began)
        found = answer.json() if answer.ok else {}
        variant = answer.headers.get("x-Amzn-Invoked-Production-Variant", "")
        code = str(answer.status_code)
        said = "" if answer.ok else answer.text
        label, confidence = found.get("intent", ""), found.get("confidence", 0.0)
        return Answer(text, label, confidence, "", variant, code, took, said)


@contextmanager
def sagemaker_home(folder: Path) -> Iterator[SagemakerHome]:
    """The stand-in until the block ends, v1 at its stable variant."""
    home = SagemakerHome(folder)
    with served(home.service) as url:
        home.url = url
        try:
            home.serve("stable", MODELS / "v1")
            yield home
        finally:
            for variant in list(home.predictors):
                home.stop(variant)
