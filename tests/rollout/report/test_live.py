"""The live view, from the journal alone: while a rollout goes on, and afterwards."""

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from rich.console import Console

from scripts import console
from scripts.canary import main
from scripts.local.processes import ROOT
from scripts.rollout.cli import status
from scripts.rollout.cli.options import Common, Named
from scripts.rollout.journal.file import FileJournal
from scripts.rollout.report import live, tables
from scripts.rollout.steering import seen
from tests.support import commands
from tests.support.folder_world import FolderWorld
from tests.support.waiting import until


def _journal(folder: Path, looks: int, bad: float = 0.0) -> FolderWorld:
    """A rollout where the command line finds it."""
    cluster = FolderWorld(folder, bad)
    for _ in range(looks):
        cluster.runner().run(once=True)
    (folder / "rollouts").mkdir()
    cluster.journal.folder.rename(folder / "rollouts" / "default.intent")
    return cluster


@contextmanager
def _at_work(cluster: FolderWorld) -> Iterator[None]:
    """As if its promoter were there."""
    with FileJournal(cluster.folder / "rollouts" / "default.intent").lock():
        yield


def _command(folder: Path) -> list[str]:
    watch = ("watch", "intent", "--dir", str(folder))
    return [sys.executable, "-m", "scripts.canary", *watch]


def test_started_before_run_it_says_so_and_waits_for_it(tmp_path: Path) -> None:
    process = commands.start(
        _command(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    told = process.stderr.readline()
    assert told.startswith("waiting for run, until ^C: no rollout of default.intent in")
    _journal(tmp_path, 60, bad=0.3)
    said, rest = process.communicate(timeout=60)
    assert (process.returncode, rest) == (0, "")
    assert "RolledBack at 0 %" in said


def test_while_it_waits_for_run_a_person_may_end_it(tmp_path: Path) -> None:
    process = commands.start(_command(tmp_path), stderr=subprocess.PIPE)
    assert process.stderr is not None
    assert "waiting for run" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in rest) == (130, False)


@pytest.mark.parametrize(
    ("e_value", "full"), [(0.0, 0), (1.0, 0), (10.0, 8), (100.0, 16), (1e9, 16)]
)
def test_a_bar_grows_with_the_logarithm(e_value: float, full: int) -> None:
    bar = tables.bar(e_value, 100.0)
    assert (bar.count(tables.FILLED), len(bar)) == (full, tables.BAR)


def test_its_picture_is_80_columns_wide_with_the_names_of_a_cluster(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = _journal(tmp_path, 8)
    folder = str(tmp_path)
    with _at_work(cluster):
        assert main(["explain", "intent", "--dir", folder, "-o", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    found |= {"stable": "intent-predictor-00001", "canary": "intent-predictor-00002"}
    found["steps"] = list(range(15, 47, 2))
    for row in found["metrics"]:
        row["canary"]["n"] = row["stable"]["n"] = 12_345_678
        row |= {"low": -0.0015, "high": 0.00015, "gate": 1.2e-33, "rollback": 123456.0}
    console.out.print(live.frame(found, []), crop=False)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert [line for line in lines if len(line) > 80] == []
    assert lines[:2] == [
        "default.intent  intent-predictor-00001 -> intent-predictor-00002",
        "Step at 50 % of 15/17/19/.../43/45  eta " + lines[1].rpartition(" ")[2],
    ]
    assert any(line.endswith("+0.00 [-0.15, +0.015]") for line in lines)
    assert any(line.endswith("PERCENTAGE POINTS [ANYTIME CI]") for line in lines)


LONG = "answers-without-a-confident-intent"


@pytest.mark.parametrize("longest", ["latency", LONG])
@pytest.mark.parametrize("size", [(60, 30), (80, 24), (120, 30), (200, 50)])
def test_nothing_of_it_is_cut_whatever_the_terminals_size(
    tmp_path: Path, size: tuple[int, int], longest: str
) -> None:
    """A real state, with a cluster's names and numbers as large as they become."""
    journal = _journal(tmp_path, 12).folder / "rollouts" / "default.intent"
    kept = FileJournal(journal)
    saved = kept.load()
    assert saved is not None
    found = seen.found(kept, saved)
    found |= {"stable": "intent-predictor-00001", "canary": "intent-predictor-00002"}
    found["metrics"][1]["metric"] = longest
    for row in found["metrics"]:
        row["canary"]["n"] = row["stable"]["n"] = 12_345_678
        row |= {"low": -0.0015, "high": 0.00015, "rollback": 123456.0}
    notes = live.decisions(kept.tail())
    terminal = Console(width=size[0], height=size[1], force_terminal=True)
    picture = live.frame(found, notes, terminal.size)
    lines = [
        "".join(part.text for part in line).rstrip()
        for line in terminal.render_lines(picture, pad=False)
    ]
    whole = "\n".join(lines)
    assert max(map(len, lines)) <= size[0]
    assert len(lines) < size[1]
    assert "…" not in whole
    assert whole.count("0.00% (12345678)") == 6
    assert whole.count("[-0.15, +0.015]") == 2
    assert whole.count("123,456 of 100") == 3
    for said in (longest, found["canary"], *found["waitingFor"]):
        assert said in " ".join(whole.split()), whole
    has_room = size[0] >= 80
    has_bars = tables.FILLED * 4 in whole.partition("AGAINST")[2]
    assert has_bars is (has_room or longest != LONG)
    assert notes[-1] in whole or not has_room


def test_one_that_ended_is_shown_once_with_its_reason(tmp_path: Path) -> None:
    _journal(tmp_path, 60, bad=0.3)
    done = subprocess.run(_command(tmp_path), cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("RolledBack at 0 %") == 1
    assert f"{tables.EMPTY * live.WEIGHT_BAR} 0 % to r-00002" in done.stdout
    assert f"{tables.FILLED * tables.BAR} " in done.stdout
    assert "r-00001 has all traffic: errors: 30" in done.stdout


def test_on_a_terminal_it_is_one_picture_that_changes(tmp_path: Path) -> None:
    until_then = ExitStack()
    until_then.enter_context(_at_work(_journal(tmp_path, 5)))
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "160", "LINES": "40"}
    process = commands.start(
        _command(tmp_path), stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    seen = b""

    def read() -> None:
        nonlocal seen
        with suppress(OSError):  # nobody writes any more
            while chunk := os.read(ours, 65536):
                seen += chunk

    threading.Thread(target=read, daemon=True).start()
    with until_then:
        until(lambda: seen.count(b"FOR THE NEXT WEIGHT") >= 2, shown=lambda: seen)
        commands.end(process)
    text = seen.decode(errors="replace")
    assert "r-00001 -> r-00002  Step at 25 %" in text
    assert "first step: 5 %" in text
    assert "waits for: " in text
    assert "\x1b[" in text


def test_the_verdict_is_shown_though_its_note_came_with_the_state_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a cluster state and notes are two reads; a commit may come between them."""
    world = FolderWorld(tmp_path, bad=0.3)
    runner = world.runner()
    assert runner.start() is None
    states = [runner.saved]
    while states[-1].state.verdict is None:
        runner.look()
        states.append(runner.saved)
    journal, late = world.journal, iter([states[-2], states[-1]])
    monkeypatch.setattr(journal, "load", lambda: next(late))
    monkeypatch.setattr(status, "find", lambda *_: (journal, states[-2]))
    monkeypatch.setattr(status, "WATCH_S", 0.0)
    with journal.lock():
        status.watch(Named("intent"), Common())
    assert "RolledBack at 0 %" in capsys.readouterr().out


def test_nobody_at_work_is_said_and_ends_it(tmp_path: Path) -> None:
    _journal(tmp_path, 8)
    done = subprocess.run(_command(tmp_path), cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "no promoter is at work (last look " in done.stdout
    assert "waits for: " in done.stdout
    assert "eta" not in done.stdout


def test_decisions_are_this_rollouts_alone(tmp_path: Path) -> None:
    cluster = FolderWorld(tmp_path)
    cluster.runner().run()
    before = live.decisions(cluster.journal.tail())
    assert any(each.endswith("r-00002 promoted") for each in before)
    begin = json.dumps({"kind": "begin"})
    assert live.decisions([*cluster.journal.tail(), begin]) == []
