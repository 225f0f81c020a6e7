"""A backend is one adapter and one row: with these two, every verb works."""

import os
from pathlib import Path

import pytest

from scripts import canary
from scripts.rollout.errors import Exit
from scripts.rollout.policy.backends import BACKENDS
from tests.support import memory

POLICY = """
target: {inferenceservice: chat, backend: memory}
steps: [10, 50]
dwell: 0s
bake: {duration: 0.2s}
source: {interval: 0.2s}
dependence: {clusterSize: 1}
metrics: [{name: errors, budget: 2%}]
"""


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(BACKENDS, "memory", memory.ROW)
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "rollout.yaml"
    file.write_text(POLICY)
    return file


def _begin(monkeypatch: pytest.MonkeyPatch, bad: float = 0.0) -> memory.World:
    world = memory.World(bad)
    monkeypatch.setitem(memory.WORLDS, "chat", world)
    return world


def test_a_good_canary_is_promoted_and_every_verb_finds_the_rollout(
    policy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world = _begin(monkeypatch)
    assert canary.main(["run", "-f", str(policy), "--dir", "."]) == Exit.PROMOTED
    assert world.asked == [10, 50, 95, None]
    said = capsys.readouterr().out
    assert "write 100 into the dict" in said
    assert "canaryTrafficPercent" not in said
    for verb in ("status", "explain", "watch"):
        assert canary.main([verb, "chat", "--dir", "."]) == Exit.PROMOTED
        assert "v2" in capsys.readouterr().out
    journal = "rollouts/default.chat/journal.jsonl"
    assert canary.main(["replay", journal]) == Exit.PROMOTED
    capsys.readouterr()
    assert canary.main(["undo", "chat", "--dir", "."]) == Exit.PROMOTED
    assert world.percent == 0
    assert "write 0 into the next dict" in capsys.readouterr().out


def test_a_worse_canary_is_rolled_back(
    policy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world = _begin(monkeypatch, bad=0.1)
    assert canary.main(["run", "-f", str(policy), "--dir", "."]) == Exit.ROLLED_BACK
    assert world.percent == 0
    said = capsys.readouterr().out
    assert "errors: " in said
    *_, trap, verdict = said.splitlines()
    assert trap.endswith(" write 0 into the next dict")
    assert verdict.startswith("verdict: ")


def test_a_name_that_the_adapter_does_not_know_is_one_line(
    policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert canary.main(["run", "-f", str(policy), "--dir", "."]) == Exit.USAGE
    assert "chat is not in the dict" in capsys.readouterr().err


def test_a_backend_without_a_row_is_refused_with_those_that_have_one(
    policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy.write_text(POLICY.replace("memory", "memmory"))
    assert canary.main(["lint", "-f", str(policy)]) == Exit.USAGE
    said = capsys.readouterr().err
    assert "target.backend: expected local or knative or" in said
    assert "got 'memmory'" in said


def test_a_policy_comes_through_a_pipe_which_is_read_once(
    policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _begin(monkeypatch)
    reading, writing = os.pipe()
    os.write(writing, policy.read_bytes())
    os.close(writing)
    piped = ["run", "-f", f"/dev/fd/{reading}", "--dir", "."]
    assert canary.main(piped) == Exit.PROMOTED
    os.close(reading)
    assert canary.main(["status", "chat", "--dir", "."]) == Exit.PROMOTED
