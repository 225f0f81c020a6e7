"""Starts the supervisor in the background, and waits until an object is Ready."""

import fcntl
import socket
import time
from importlib.util import find_spec
from pathlib import Path

from scripts import console
from scripts.local import manifest, processes, status
from scripts.local.errors import LocalError, NotRunning, PortTaken
from scripts.local.store import Store

SUPERVISOR = "supervisor"
PORT = 8080
START_S = 20.0
POLL_S = 0.1
PREDICTOR = ("kserve", "sklearn")


def is_running(store: Store) -> bool:
    """Return whether a supervisor holds this folder."""
    try:
        with (store.folder / "supervisor.lock").open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def supervise(store: Store, port: int | None) -> None:
    """Start a supervisor if none runs; it adopts an earlier one's processes."""
    known = store.gateway_port()
    if is_running(store):
        if port is not None and port != known:
            raise LocalError(f"the gateway is on port {known} already; down it first")
        return
    port = port or known or PORT
    if not processes.find(store.folder):
        _check_port(port)
    home = store.home() or Path.cwd()
    store.create(port, home)
    command = processes.module("scripts.local.supervisor", str(store.folder))
    log = store.folder / "supervisor.log"
    child = processes.spawn(store.folder, SUPERVISOR, command, {}, log, home)
    deadline = time.monotonic() + START_S
    while not is_running(store):
        if not child.is_alive() or time.monotonic() > deadline:
            raise LocalError(f"no supervisor: {processes.last_line(log)}; see {log}")
        time.sleep(POLL_S)


def check_installed() -> None:
    """Check for the predictor's packages, which come by an extra only."""
    missing = [name for name in PREDICTOR if find_spec(name) is None]
    if missing:
        raise LocalError(
            f"local mode runs predictors on this machine and lacks their packages "
            f"({', '.join(missing)}): pip install '.[predictor]' in the clone"
        )


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise PortTaken(
                f"port {port}: {error.strerror}; stop what listens there or choose "
                "another (--port, make demo PORT=8090)"
            ) from error


def wait(store: Store, key: str, timeout_s: float) -> None:
    """Wait until the object as applied is Ready. Raises LocalError if it fails."""
    document = store.object(key)
    if document is None:
        raise NotRunning(f"InferenceService {key} was deleted")
    deadline = time.monotonic() + timeout_s
    with console.step(f"waiting for {key}"):
        while time.monotonic() < deadline:
            current = store.status(key)
            is_ready = status.is_ready(current)
            observed = store.state(key).revisions[-1:]
            is_new = observed and observed[0].template == manifest.template(document)
            if is_new and is_ready:
                return
            if is_new and is_ready is False:
                raise LocalError(f"{key} is not Ready: {status.message(current)}")
            time.sleep(POLL_S)
    message = status.message(store.status(key))
    last = processes.last_line(_newest_log(store, key))
    raise LocalError(
        f"{key} is not Ready after {timeout_s:.0f} s: {message}; its log ends: {last}"
    )


def _newest_log(store: Store, key: str) -> Path:
    namespace = key.partition(".")[0]
    return store.logs / f"{namespace}.{store.state(key).latest_created}.log"


def check_applied(store: Store) -> None:
    """Raise NotRunning where nothing was applied yet."""
    if store.gateway_port() is None:
        raise NotRunning("nothing was applied here; start with: apply -f FILE")
