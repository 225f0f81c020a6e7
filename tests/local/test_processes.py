"""scripts.local.processes: found by their mark, ended for sure."""

import os
import socket
import sys
from pathlib import Path

import pytest

from scripts.local import processes
from tests.support.waiting import until

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); "
    "time.sleep(60)",
]


@pytest.mark.parametrize(
    ("argument", "expanded"),
    [
        ("--grpc_port=$(PORT)", "--grpc_port=9000"),
        ("$(UNKNOWN)", "$(UNKNOWN)"),
        ("$$(PORT)", "$(PORT)"),
        ("$PORT", "$PORT"),
    ],
)
def test_arguments_are_expanded_as_kubernetes_does(
    argument: str, expanded: str
) -> None:
    assert processes.expand(argument, {"PORT": "9000"}) == expanded


def test_a_process_is_found_by_its_folder_until_it_ends(tmp_path: Path) -> None:
    child = processes.spawn(tmp_path, "ns/rev", SLEEP, {"PORT": "7"}, tmp_path / "log")
    (found,) = processes.find(tmp_path)
    assert (found.role, found.port) == ("ns/rev", 7)
    assert processes.find(tmp_path / "other") == []
    processes.end([child], grace_s=5)
    assert not child.is_alive()
    assert processes.find(tmp_path) == []


def test_what_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = processes.spawn(tmp_path, "stubborn", STUBBORN, {}, log)
    until(lambda: processes.last_line(log) == "1")
    processes.end([child], grace_s=0.3)
    until(lambda: not child.is_alive())


def test_ending_what_is_gone_is_no_error(tmp_path: Path) -> None:
    child = processes.spawn(tmp_path, "x", SLEEP, {}, tmp_path / "log")
    processes.end([child], grace_s=5)
    until(lambda: not child.is_alive())
    child.terminate()
    child.kill()
    processes.end([child], grace_s=1)


def test_free_ports_are_different() -> None:
    assert len(set(processes.free_ports(20))) == 20


def test_a_free_port_is_kept_for_the_server_that_asks_for_it() -> None:
    (port,) = processes.free_ports(1)
    with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
        stranger.bind(("127.0.0.1", port))
    with socket.create_server(("127.0.0.1", port)) as server:
        assert server.getsockname()[1] == port


def test_the_last_line_of_no_log_is_empty(tmp_path: Path) -> None:
    assert processes.last_line(tmp_path / "none") == ""
    (tmp_path / "empty").touch()
    assert processes.last_line(tmp_path / "empty") == ""


def test_our_own_environment_carries_no_mark() -> None:
    assert processes.MARK not in os.environ
