"""A real predictor, started, awaited and ended."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import TypeVar

import requests

from scripts.local.processes import ROOT, free_ports

MODELS = ROOT / "models"
START_S = 60.0
Served = TypeVar("Served", bound=ThreadingHTTPServer)


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
        _await(server)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=30)


def _await(server: Predictor) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert server.process.poll() is None, server.log.read_text()
        try:
            if requests.get(f"{server.url}/v2/models/intent/ready", timeout=1).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise AssertionError(server.log.read_text())


@contextmanager
def serving(server: Served) -> Iterator[Served]:
    """Answer until the block ends."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
