"""A real predictor, started, awaited and end."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import requests

from predictor.scorer import Scorer
from scripts.local.processes import ROOT, free_ports
from tests.support.commands import end
from tests.support.waiting import until

MODELS = ROOT / "models"
SCORER = Scorer(lambda _: [], "", 1e-5, 1e-8)  # for what counts, and never asks it


@dataclass(frozen=True, slots=True)
class Predictor:
    """A running predictor."""

    url: str
    grpc: str
    log: Path
    process: "subprocess.Popen[bytes]"


@contextmanager
def predictor(
    folder: Path, *args: str, env: Mapping[str, str] | None = None
) -> Iterator[Predictor]:
    """Serve models/v1 on free ports until the block ends."""
    port, grpc_port = free_ports(2)
    log = folder / "predictor.log"
    ports = [f"--http_port={port}", f"--grpc_port={grpc_port}"]
    command = [sys.executable, "-m", "predictor", f"--model_dir={MODELS / 'v1'}"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, *ports, *args],
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
        )
    server = Predictor(
        f"http://127.0.0.1:{port}", f"127.0.0.1:{grpc_port}", log, process
    )
    try:
        until(partial(_is_ready, server), shown=log.read_text)
        yield server
    finally:
        end(process)


def _is_ready(server: Predictor) -> bool:
    assert server.process.poll() is None, server.log.read_text()
    try:
        return requests.get(f"{server.url}/v2/models/intent/ready", timeout=1).ok
    except requests.RequestException:
        return False
