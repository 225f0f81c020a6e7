"""Servers of the bench: started on one core, awaited, measured, ended."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from scripts.local.processes import ROOT

SERVER_CORE, LOAD_CORE = "1", "0"
START_S = 90.0


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers."""

    url: str
    process: psutil.Process
    ready_s: float

    def cpu_s(self) -> float:
        """CPU seconds of the process and all that it started."""
        times = [each.cpu_times() for each in self._tree()]
        return sum(each.user + each.system for each in times)

    def rss_mib(self) -> float:
        """Resident memory, shared pages counted in each process."""
        return sum(each.memory_info().rss for each in self._tree()) / 2**20

    def _tree(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


@contextmanager
def running(
    command: Sequence[str], url: str, env: Mapping[str, str], cwd: Path = ROOT
) -> Iterator[Running]:
    """Run `command` on the server's core until the block ends."""
    start = time.monotonic()
    process = subprocess.Popen(
        ["taskset", "-c", SERVER_CORE, *command],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    tree = psutil.Process(process.pid)
    try:
        _await(process, int(url.rsplit(":", 1)[1]))
        yield Running(url, tree, time.monotonic() - start)
    finally:
        children = tree.children(recursive=True)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for child in children:
            if child.is_running():
                child.kill()


def _await(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r}: exit {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"{process.args!r}: not there after {START_S} s")
