"""Journal and state on disk: chained, repaired where torn, refused where changed."""

import errno
import fcntl
import json
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from scripts.rollout.errors import JournalError, LockHeld, Unreachable
from scripts.rollout.journal import chain, codec, file
from scripts.rollout.journal.file import FileJournal
from scripts.rollout.journal.saved import Saved
from scripts.rollout.metrics.windows.windows import Base
from scripts.rollout.state.actions import Request
from scripts.rollout.state.state import SCHEMA, Phase, State
from tests.support.folder_world import FolderWorld
from tests.support.worlds import Rollout


def _whole(folder: Path) -> FileJournal:
    cluster = FolderWorld(folder)
    cluster.runner().run()
    return cluster.journal


def _saved(journal: FileJournal) -> Saved:
    saved = journal.load()
    assert saved is not None
    return saved


def test_a_state_with_evidence_comes_back_bit_by_bit() -> None:
    rollout = Rollout.begun()
    rollout.until(Phase.BAKE)
    text = json.dumps(codec.encode(rollout.state))
    again = codec.decode(State, json.loads(text))
    assert json.dumps(codec.encode(again)) == text
    assert again.judged is not None
    assert again.phase is Phase.BAKE


def test_every_line_is_chained_and_can_be_checked(tmp_path: Path) -> None:
    lines = _whole(tmp_path).path.read_text().splitlines()
    records = list(chain.verify(lines))
    assert [each["seq"] for each in records] == list(range(1, len(lines) + 1))
    assert {each["schema"] for each in records} == {SCHEMA}


@pytest.mark.parametrize("number", [1, 4, 9])
def test_a_changed_line_is_refused_by_its_number(tmp_path: Path, number: int) -> None:
    journal = _whole(tmp_path)
    lines = journal.path.read_text().splitlines()
    lines[number - 1] = lines[number - 1].replace(f'"schema":{SCHEMA}', '"schema":1')
    journal.path.write_text("\n".join(lines) + "\n")
    with pytest.raises(JournalError, match=f"line {number}: the chain is broken"):
        journal.load(repair=True)


def test_a_removed_line_is_refused_where_the_chain_breaks(tmp_path: Path) -> None:
    journal = _whole(tmp_path)
    lines = journal.path.read_text().splitlines()
    journal.path.write_text("\n".join(lines[:3] + lines[4:]) + "\n")
    with pytest.raises(JournalError, match="line 4: the chain is broken"):
        journal.load(repair=True)


def test_lines_missing_at_the_end_are_refused_unless_it_is_one(tmp_path: Path) -> None:
    journal = _whole(tmp_path)
    text = journal.path.read_text()
    lines = text.splitlines()
    journal.path.write_text("\n".join(lines[:-1]) + "\n")
    journal.load(repair=True)
    assert journal.path.read_text() == text
    journal.path.write_text("\n".join(lines[:-2]) + "\n")
    with pytest.raises(JournalError, match="ends before the state does"):
        journal.load(repair=True)


@pytest.mark.parametrize("left", [1, 40, 200])
def test_a_torn_last_line_is_repaired(tmp_path: Path, left: int) -> None:
    journal = _whole(tmp_path)
    text = journal.path.read_text()
    last = text.splitlines()[-1]
    journal.path.write_text(text.removesuffix(last + "\n") + last[:left])
    journal.load(repair=True)
    assert journal.path.read_text() == text


def test_a_torn_first_line_too(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "one")
    journal.commit(Saved(Rollout.begun().state, "policy"), "begin", {})
    text = journal.path.read_text()
    journal.path.write_text(text[:30])
    journal.load(repair=True)
    assert journal.path.read_text() == text


@pytest.mark.parametrize("fails", [1, 2])
def test_what_a_full_disk_refused_is_written_once_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: int
) -> None:
    journal = FileJournal(tmp_path / "one")
    saved = journal.commit(Saved(Rollout.begun().state, "policy"), "begin", {})
    calls = count(1)

    def sync(_: object) -> None:
        if next(calls) == fails:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(file, "_sync", sync)
    with pytest.raises(Unreachable, match="one: No space left on device"):
        journal.commit(saved, "look", {})
    after = journal.commit(saved, "look", {})
    assert len(list(chain.verify(journal.path.read_text().splitlines()))) == 2
    assert journal.load() == after


def test_a_state_that_is_not_json_is_named(tmp_path: Path) -> None:
    journal = _whole(tmp_path)
    (journal.folder / "state.json").write_text("{")
    with pytest.raises(JournalError, match="not JSON"):
        journal.load()


def test_a_journal_without_its_state_is_not_written_on(tmp_path: Path) -> None:
    journal = _whole(tmp_path)
    (journal.folder / "state.json").unlink()
    with pytest.raises(JournalError, match="is gone, the journal beside it is not"):
        journal.load()


def test_only_one_promoter_holds_the_lock(tmp_path: Path) -> None:
    import os

    journal = FileJournal(tmp_path / "default.intent")
    with journal.lock():
        assert journal.is_locked()
        with pytest.raises(LockHeld, match=f"process {os.getpid()}"), journal.lock():
            pass
    assert not journal.is_locked()


def test_whoever_asks_for_the_lock_writes_nothing_and_stands_in_nobodys_way(
    tmp_path: Path,
) -> None:
    journal = FileJournal(tmp_path / "none")
    assert not journal.is_locked()
    assert not journal.folder.exists()
    with journal.lock():
        pass
    lock = journal.folder / "lock"
    before = lock.read_text(), lock.stat().st_mtime_ns
    with lock.open() as other:
        fcntl.flock(other, fcntl.LOCK_SH)  # another who asks
        assert not journal.is_locked()
    assert (lock.read_text(), lock.stat().st_mtime_ns) == before


def test_requests_are_kept_in_order(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path)
    assert journal.requests(0) == []
    for verb in ("pause", "resume"):
        journal.ask(Request(verb, "why"))
    assert journal.requests(1) == [Request("resume", "why")]


@pytest.mark.parametrize("torn", ['{"verb": "pa', "\x00\x00", "[1]", '{"verb": 1}'])
def test_a_request_that_was_cut_off_keeps_its_number_and_hides_none(
    tmp_path: Path, torn: str
) -> None:
    journal = FileJournal(tmp_path)
    journal.ask(Request("pause", "why"))
    with (tmp_path / "requests.jsonl").open("a") as file:
        file.write(torn)
    journal.ask(Request("resume"))
    first, damaged, last = journal.requests(0)
    assert (first, last) == (Request("pause", "why"), Request("resume"))
    assert damaged.verb == "unreadable"
    rollout = Rollout.begun()
    told = [note.text for note in rollout.look(requests=(damaged,)).notes]
    assert any("a request cannot be read, ask again" in each for each in told)
    assert journal.requests(2) == [Request("resume")]


def test_no_number_that_json_has_not_gets_into_a_line() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        chain.link(chain.FIRST, {"e": float("nan")})


def test_the_last_commit_is_what_is_loaded(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path)
    state = Rollout.begun().state
    bases = {"own": Base({"r": {"a": {"n": 0.1}}}, 2.5)}
    saved = journal.commit(Saved(state, "policy", bases), "begin", {})
    saved = journal.commit(replace(saved, requests=3), "look", {"x": 1})
    assert json.dumps(codec.encode(journal.load())) == json.dumps(codec.encode(saved))
