"""Keeps one predictor process per revision: started, probed, restarted, drained."""

import logging
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import requests

from scripts.local import processes
from scripts.local.container import Container
from scripts.local.errors import LocalError
from scripts.local.processes import Child

PROBE_TIMEOUT_S = 1.0
BACKOFFS_S = (0.5, 1.0, 2.0, 5.0, 10.0)
SETTLE_S = 0.5
DRAIN_S = 30.0
GRACE_S = 30.0

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Replica:
    """One revision's process; `name` is `<namespace>/<revision>`."""

    name: str
    service: str
    container: Container
    log: Path
    child: Child | None = None
    is_ready: bool = False
    failures: int = 0
    restarts: int = 0
    next_start: float = 0.0
    first_start: float = field(default_factory=time.monotonic)
    unrouted_at: float | None = None
    kill_at: float | None = None

    @property
    def is_ending(self) -> bool:
        """Return whether the process was told to end."""
        return self.kill_at is not None

    @property
    def metrics_url(self) -> str | None:
        """Return the page with its counters, None while the process does not run."""
        if self.child is None:
            return None
        port = self.child.env.get("HTTP_PORT", self.child.env["PORT"])
        return f"http://127.0.0.1:{port}/metrics"

    @property
    def revision(self) -> str:
        """Return the revision's name without the namespace."""
        return self.name.partition("/")[2]

    def probe(self) -> bool:
        """Probe as the manifest's readiness probe does: by HTTP or a connection."""
        if self.child is None:
            return False
        try:
            if self.container.probe_path is None:
                address = ("127.0.0.1", self.child.port)
                socket.create_connection(address, PROBE_TIMEOUT_S).close()
                return True
            url = f"http://127.0.0.1:{self.child.port}{self.container.probe_path}"
            return requests.get(url, timeout=PROBE_TIMEOUT_S).ok
        except (OSError, requests.RequestException):
            return False


class Replicas:
    """All predictor processes of a state folder."""

    def __init__(self, folder: Path, logs: Path) -> None:
        """Own the processes marked with `folder`; output goes below `logs`."""
        self._folder = folder
        self._logs = logs
        self._replicas: dict[str, Replica] = {}

    def all(self) -> list[Replica]:
        """Return every replica, also those that are being drained."""
        return list(self._replicas.values())

    def find(self, name: str) -> Replica | None:
        """Return the replica of `<namespace>/<revision>`, None if there is none."""
        return self._replicas.get(name)

    def ready(self, namespace: str) -> set[str]:
        """Return the names of the revisions that can answer now."""
        return {
            replica.revision
            for replica in self._replicas.values()
            if replica.is_ready and replica.name.startswith(f"{namespace}/")
        }

    def want(self, name: str, service: str, container: Container) -> None:
        """Keep this revision running from now on."""
        replica = self._replicas.get(name)
        if replica is None:
            log = self._logs / f"{name.replace('/', '.')}.log"
            replica = Replica(name, service, container, log)
            self._replicas[name] = replica
        replica.unrouted_at = None

    def adopt(self, child: Child, *, was_ready: bool) -> None:
        """Take over a process that outlived the previous supervisor.

        A revision that was ready counts as ready at once, because it has traffic
        already.
        """
        replica = self._replicas.get(child.role)
        if replica is None or replica.child is not None:
            child.terminate()
            return
        replica.child, replica.is_ready = child, was_ready
        logger.info("%s adopted, pid %d", child.role, child.process.pid)

    def watch(self) -> None:
        """Note deaths and readiness; start missing processes with back-off."""
        for replica in self.all():
            if replica.child is not None and not replica.child.is_alive():
                self._died(replica)
            elif replica.child is not None and self._is_overdue(replica):
                replica.child.kill()
            if replica.child is None:
                self._start(replica)
            elif not replica.is_ready and not replica.is_ending and replica.probe():
                replica.is_ready, replica.failures = True, 0
                waited = time.monotonic() - replica.first_start
                logger.info("%s ready after %.1f s", replica.name, waited)

    def release(self, wanted: set[str], active: Callable[[str], int]) -> None:
        """End replicas that are not wanted, once their requests are answered.

        `active` returns the number of requests that the gateway still waits for.
        """
        now = time.monotonic()
        for replica in self.all():
            if replica.name in wanted or replica.is_ending:
                continue
            if replica.unrouted_at is None:
                replica.unrouted_at = now
            waited = now - replica.unrouted_at
            idle = waited > SETTLE_S and active(replica.name) == 0
            if idle or waited > DRAIN_S:
                replica.kill_at, replica.is_ready = now + GRACE_S, False
                if replica.child is None:
                    del self._replicas[replica.name]
                else:
                    replica.child.terminate()
                    logger.info("%s drained", replica.name)

    @staticmethod
    def _is_overdue(replica: Replica) -> bool:
        return replica.kill_at is not None and time.monotonic() > replica.kill_at

    def _died(self, replica: Replica) -> None:
        if replica.is_ending:
            del self._replicas[replica.name]
            return
        replica.child = None
        replica.restarts += 1
        delay = 0.0
        if not replica.is_ready:
            delay = BACKOFFS_S[min(replica.failures, len(BACKOFFS_S) - 1)]
            replica.failures += 1
        replica.is_ready = False
        replica.next_start = time.monotonic() + delay
        last = processes.last_line(replica.log)
        logger.warning("%s died, next start in %.1f s: %s", replica.name, delay, last)

    def _start(self, replica: Replica) -> None:
        if replica.is_ending or time.monotonic() < replica.next_start:
            return
        try:
            replica.child = processes.predictor(
                self._folder,
                replica.name,
                replica.service,
                replica.container,
                replica.log,
            )
        except LocalError as error:
            logger.warning("%s", error)
            self._died(replica)
            return
        logger.info("%s started, pid %d", replica.name, replica.child.process.pid)
