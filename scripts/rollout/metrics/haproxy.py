"""HAProxy's runtime socket: one backend's servers, their weights and their counters.

It counts exactly and has no histograms: durations and labels are the predictors'.
"""

import csv
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from scripts.rollout.errors import Forbidden, NotFound, Unreachable
from scripts.rollout.metrics import port
from scripts.rollout.metrics.port import ERRORS, REQUESTS, STARTED, Reading, Scraped
from scripts.rollout.metrics.scrape import Scrape

PATIENCE_S = 2.0  # it answers within a millisecond
RUNNING = ("1", "2")  # srv_op_state: in slow start, or up
BYTES = 65536
UNKNOWN = ("Can't find backend.", "No such backend.", "No such server.")


@dataclass(frozen=True, slots=True)
class Server:
    """One server of the backend.

    `weight` is in force, `first_weight` stands in the file. `falls`: how often it went
    from up to down. `failed` requests got a 5xx, or no answer at all.
    """

    name: str
    address: str
    is_up: bool
    weight: int
    first_weight: int
    falls: int
    requests: int
    failed: int


class Runtime:
    """The runtime socket of a HAProxy, and one of its backends."""

    def __init__(self, path: Path, backend: str) -> None:
        """Ask at `path`; nothing is opened before the first question."""
        self._path, self._backend = path, backend

    @property
    def state_file(self) -> Path:
        """Return the file that a reloaded HAProxy reads its weights from."""
        return self._path.with_suffix(".state")

    def servers(self) -> list[Server]:
        """Return the backend's servers as the file orders them. Raises RemoteError."""
        _, _, table = self._ask(f"show servers state {self._backend}").partition("# ")
        counted = self._ask(f"show stat {self._backend} 4 -1").removeprefix("# ")
        rows = {row["svname"]: row for row in csv.DictReader(counted.splitlines())}
        states = csv.DictReader(table.splitlines(), delimiter=" ")
        return [
            _server(state, rows[state["srv_name"]])
            for state in states
            if state["srv_name"] in rows
        ]

    def began(self) -> tuple[str, float]:
        """Return the id of the process that answers, and when it began to count."""
        lines = (line.partition(": ") for line in self._ask("show info").splitlines())
        info = {name: value for name, _, value in lines}
        return info["Pid"], float(info["Start_time_sec"])

    def set_weights(self, weights: Mapping[str, int]) -> None:
        """Set the weights of these servers and save them. Raises RemoteError."""
        orders = (f"set weight {self._backend}/{k} {v}" for k, v in weights.items())
        refusal = self._ask(";".join(orders)).strip()
        if refusal:
            raise _refused(self._path, refusal)
        self._save()

    def _save(self) -> None:
        """Write down what a reload would forget: it takes the file's weights again."""
        new = self.state_file.with_suffix(".new")
        try:
            new.write_text(self._ask("show servers state"), encoding="utf-8")
            os.replace(new, self.state_file)
        except OSError as error:
            raise Unreachable(
                f"the weights are set, but a reload will forget them: {new}: "
                f"{error.strerror}"
            ) from error

    def _ask(self, commands: str) -> str:
        answer = b""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(PATIENCE_S)
                connection.connect(str(self._path))
                connection.sendall(commands.encode() + b"\n")
                while part := connection.recv(BYTES):
                    answer += part
        except PermissionError as error:
            raise Forbidden(
                403, f"{self._path}: expected to be in its group"
            ) from error
        except OSError as error:
            reason = error.strerror or "no answer in time"
            raise Unreachable(f"HAProxy at {self._path}: {reason}") from error
        text = answer.decode(errors="replace")
        if text.strip() in UNKNOWN or "Permission denied" in text:
            raise _refused(self._path, f"{self._backend}: {text.strip()}")
        return text


def _refused(path: Path, said: str) -> Forbidden | NotFound:
    said = " ".join(said.split())
    if "Permission denied" in said:
        told = f"{path}: {said} Expected `level admin` in its `stats socket` line"
        return Forbidden(403, told)
    return NotFound(404, f"HAProxy at {path}: {said}")


def _server(state: Mapping[str, str], counted: Mapping[str, str]) -> Server:
    """Return a server from its rows. No answer of its: a 5xx of HAProxy's own."""
    requests = int(counted["stot"])
    failed = sum(int(counted[each]) for each in ("hrsp_5xx", "econ", "eresp"))
    return Server(
        name=state["srv_name"],
        address=f"{state['srv_addr']}:{state['srv_port']}",
        is_up=state["srv_op_state"] in RUNNING,
        weight=int(state["srv_uweight"]),
        first_weight=int(state["srv_iweight"]),
        falls=int(counted["chkdown"] or 0),
        requests=requests,
        failed=min(failed, requests),
    )


class HaproxyMetrics:
    """Requests and errors as HAProxy counts them, the rest from the predictors."""

    def __init__(
        self, runtime: Runtime, names: Callable[[], Mapping[str, str]], pages: Scrape
    ) -> None:
        """Ask `names` for each server's revision."""
        self._runtime, self._names, self._pages = runtime, names, pages

    def read(self, revisions: Sequence[str]) -> Scraped:
        """Return the counters now. Raises RemoteError if HAProxy does not answer."""
        names = self._names()
        process, began = self._runtime.began()
        found: Reading = {
            names[each.name]: {f"haproxy {process}": _counters(each, began)}
            for each in self._runtime.servers()
            if names.get(each.name) in revisions
        }
        found = port.aged(found, time.time())
        try:
            pages = self._pages.read(revisions)
        except Unreachable as error:
            doubts = (f"no durations: {error}",)
            return Scraped(found, doubts, is_whole=not self._pages.is_waiting)
        found = port.merge(found, _untold(pages.reading))
        return replace(pages, reading=found)

    def history(
        self, revision: str, seconds: float, step: float
    ) -> list[tuple[float, Reading]]:
        """Return []: HAProxy keeps no history."""
        del revision, seconds, step
        return []


def _counters(server: Server, began: float) -> dict[str, float]:
    return {REQUESTS: server.requests, ERRORS: server.failed, STARTED: began}


def _untold(reading: Reading) -> Reading:
    """Return what predictors know and HAProxy does not."""
    return {
        revision: {
            instance: {k: v for k, v in sample.items() if k not in (REQUESTS, ERRORS)}
            for instance, sample in samples.items()
        }
        for revision, samples in reading.items()
    }
