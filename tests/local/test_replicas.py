"""scripts.local.replicas: restarts wait longer each time, ends are enforced."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.local import processes, replicas
from scripts.local.container import Container
from scripts.local.processes import Child
from scripts.local.replicas import Replicas
from tests.support.waiting import until

NAME = "default/intent-predictor-00001"
CONTAINER = Container((), {}, "http1", None, 60)
STUBBORN = "import signal, time; signal.signal(15, 1); print(1, flush=True); "


def _having(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Let a replica's process be a script of ours."""

    def predictor(
        folder: Path, name: str, service: str, container: Container, log: Path
    ) -> Child:
        del service, container
        command = [sys.executable, "-c", script]
        return processes.spawn(folder, name, command, {"PORT": "9"}, log)

    monkeypatch.setattr(processes, "predictor", predictor)


def _watched_until(owner: Replicas, is_so: Callable[[], bool]) -> None:
    def watched() -> bool:
        owner.watch()
        return is_so()

    until(watched)


def test_one_that_dies_at_once_is_started_less_and_less_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _having(monkeypatch, "print('start')")
    monkeypatch.setattr(replicas, "BACKOFFS_S", (0.1, 0.2, 30.0))
    owner = Replicas(tmp_path, tmp_path)
    owner.want(NAME, "intent", CONTAINER)
    (replica,) = owner.all()
    _watched_until(owner, lambda: replica.restarts == 3)
    assert replica.next_start > time.monotonic() + 20
    owner.watch()
    assert replica.child is None
    log = tmp_path / "default.intent-predictor-00001.log"
    assert log.read_text().splitlines() == ["start"] * 3
    assert owner.ready("default") == set()


def test_one_that_will_not_end_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _having(monkeypatch, f"{STUBBORN} time.sleep(60)")
    monkeypatch.setattr(replicas, "GRACE_S", 0.2)
    monkeypatch.setattr(replicas, "SETTLE_S", 0.0)
    owner = Replicas(tmp_path, tmp_path)
    owner.want(NAME, "intent", CONTAINER)
    log = tmp_path / "default.intent-predictor-00001.log"
    _watched_until(owner, lambda: processes.last_line(log) == "1")
    for _ in range(2):
        owner.release(set(), lambda _: 0)
    _watched_until(owner, lambda: owner.all() == [])
    assert processes.find(tmp_path) == []


def test_one_that_still_works_is_not_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _having(monkeypatch, "import time; time.sleep(60)")
    monkeypatch.setattr(replicas, "SETTLE_S", 0.0)
    owner = Replicas(tmp_path, tmp_path)
    owner.want(NAME, "intent", CONTAINER)
    owner.watch()
    for _ in range(3):
        owner.release(set(), lambda _: 1)
    (child,) = processes.find(tmp_path)
    assert child.is_alive()
