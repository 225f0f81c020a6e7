"""Requests are answered in the terminal that asked."""

import time
from pathlib import Path

import pytest

from scripts.canary import main
from scripts.rollout.journal.file import FileJournal
from scripts.rollout.loop.runner import Runner
from scripts.rollout.steering import ask
from tests.support.folder_world import FolderWorld

Captured = pytest.CaptureFixture[str]


class There(FolderWorld):
    """A rollout where the command line finds it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.journal = FileJournal(folder / "rollouts" / "default.intent")


@pytest.fixture
def cluster(tmp_path: Path) -> There:
    """A rollout that has begun."""
    found = There(tmp_path)
    for _ in range(4):
        found.runner().run(once=True)
    return found


def _promoter(cluster: There, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """A promoter that looks whenever the command waits for it."""
    runner = cluster.runner()
    runner.start()
    monkeypatch.setattr(time, "sleep", lambda _: runner.look())
    monkeypatch.setattr(ask, "ANSWER_S", 60.0)
    return runner


def test_the_promoters_answer_is_printed(
    cluster: There, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    folder = ["--dir", str(cluster.folder)]
    _promoter(cluster, monkeypatch)
    with cluster.journal.lock():
        for args, said in (
            (["approve", "intent"], "nothing waits for an approval at 5 %\n"),
            (["pause", "intent", "--reason", "tea"], "paused by a person: tea\n"),
            (["pause", "intent"], "it changes nothing now\n"),
            (["resume", "intent"], "resumed\n"),
        ):
            assert main([*args, *folder]) == 0
            assert capsys.readouterr().out == said


def test_an_answer_that_does_not_come_is_not_waited_for_for_ever(
    cluster: There, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr(ask, "ANSWER_S", 0.0)
    with cluster.journal.lock():
        assert main(["pause", "intent", "--dir", str(cluster.folder)]) == 0
    assert capsys.readouterr().out == "pause asked for, not answered yet\n"


def test_what_is_over_says_how_its_version_is_tried_again(
    cluster: There, capsys: Captured
) -> None:
    cluster.bad = 0.3
    cluster.runner().run()
    assert main(["resume", "intent", "--dir", str(cluster.folder)]) == 2
    said = capsys.readouterr().err
    assert "r-00002: RolledBack already; to try its version again, change" in said
