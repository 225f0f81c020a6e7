"""Starts, finds and ends the processes of one state folder.

Each process has the folder in its environment. That mark is the only record of what
runs, so processes that survive a killed supervisor are found again.
"""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from scripts.local.container import Container
from scripts.local.errors import LocalError

MARK = "INTENT_LOCAL_FOLDER"
ROLE = "INTENT_LOCAL_ROLE"
PORTS = ("PORT", "HTTP_PORT", "GRPC_PORT")
ROOT = Path(__file__).parents[2]
DETACHED = 'log=$1; shift; "$@" >>"$log" 2>&1 </dev/null & echo $!'
REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_]*)\)")


@dataclass(frozen=True, slots=True)
class Child:
    """A running process of ours: "envoy", "supervisor" or a revision's name."""

    role: str
    process: psutil.Process
    env: Mapping[str, str]

    @property
    def port(self) -> int:
        """Return the port that stands for the container's port."""
        return int(self.env["PORT"])

    def is_alive(self) -> bool:
        """Return whether the process runs; a zombie does not, reaped or not."""
        try:
            return bool(self.process.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False

    def terminate(self) -> None:
        """Send SIGTERM."""
        with suppress(psutil.NoSuchProcess):
            self.process.terminate()

    def kill(self) -> None:
        """Send SIGKILL."""
        with suppress(psutil.NoSuchProcess):
            self.process.kill()


def find(folder: Path) -> list[Child]:
    """Return all processes that carry this folder's mark."""
    found = []
    for process in psutil.process_iter():
        try:
            env = process.environ()
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
        if env.get(MARK) == str(folder) and ROLE in env:
            found.append(Child(env[ROLE], process, env))
    return found


def spawn(
    folder: Path,
    role: str,
    command: list[str],
    env: Mapping[str, str],
    log: Path,
    home: Path | None = None,
) -> Child:
    """Start a process that outlives this one, its output appended to `log`.

    Its working directory is `home`, else ours. A shell in between ends at once and
    leaves the process to init: Envoy would otherwise end with its parent. Raises
    LocalError if the process ended at once.
    """
    marked = {**os.environ, **env, MARK: str(folder), ROLE: role}
    paths = [str(ROOT), marked.get("PYTHONPATH", "")]
    marked["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    started = subprocess.run(
        ["sh", "-c", DETACHED, "sh", str(log), *command],
        cwd=home,
        env=marked,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        start_new_session=True,
    )
    try:
        return Child(role, psutil.Process(int(started.stdout)), marked)
    except psutil.NoSuchProcess as error:
        raise LocalError(f"{role} ended at once: {last_line(log)}") from error


def predictor(
    folder: Path, name: str, service: str, container: Container, log: Path
) -> Child:
    """Run the container of `<namespace>/<revision>` as a process of its own.

    All processes share one network, so each port that the pod would have to itself
    becomes a free one here.
    """
    ports = [name for name in PORTS if name == "PORT" or name in container.env]
    env = {
        **container.env,
        **{
            name: str(port)
            for name, port in zip(ports, free_ports(len(ports)), strict=True)
        },
        "K_REVISION": name.partition("/")[2],
        "K_CONFIGURATION": f"{service}-predictor",
        "K_SERVICE": f"{service}-predictor",
        "INFERENCE_SERVICE_NAME": service,
    }
    # Behind the gateway, as in a cluster: nobody on the network reaches it directly.
    args = [*(expand(arg, env) for arg in container.args), "--host=127.0.0.1"]
    return spawn(folder, name, module("predictor", *args), env, log)


def module(name: str, *args: str) -> list[str]:
    """Return the command of a module of this project.

    -P keeps Python from importing one of that name in the working directory.
    """
    return [sys.executable, "-P", "-m", name, *args]


def expand(argument: str, env: Mapping[str, str]) -> str:
    """Expand Kubernetes' `$(NAME)`: unknown names stay, `$$` is a plain dollar."""

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return env.get(match[1], match[0])

    return REFERENCE.sub(value, argument)


def end(children: Iterable[Child], grace_s: float) -> None:
    """Send SIGTERM, then SIGKILL to what still runs after `grace_s` seconds."""
    alive = [child for child in children if child.is_alive()]
    for child in alive:
        child.terminate()
    deadline = time.monotonic() + grace_s
    while time.monotonic() < deadline:
        alive = [child for child in alive if child.is_alive()]
        if not alive:
            return
        time.sleep(0.05)
    for child in alive:
        child.kill()


def free_ports(count: int) -> list[int]:
    """Return distinct free ports that the kernel assigns to no other process.

    A server can bind such a port by its number, with SO_REUSEADDR as servers do. For a
    minute the kernel gives it to no bind(0) and no connect() on the machine.
    """
    return [_reserved_port() for _ in range(count)]


def _reserved_port() -> int:
    """Return a port in TIME_WAIT: its server's side closed a connection first."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        with socket.create_connection(address) as client:
            server.accept()[0].close()
            client.recv(1)
        return int(address[1])


def last_line(log: Path) -> str:
    """Return the last line of a process's log, "" without any."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    return lines[-1] if lines else ""
