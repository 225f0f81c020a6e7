"""Journal and lock on a cluster: one writer at a time, whatever comes between."""

import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from scripts.rollout.cluster import lease
from scripts.rollout.cluster.client import Object
from scripts.rollout.errors import Exit, JournalError, LockHeld, Unreachable
from scripts.rollout.integrations.events import Events
from scripts.rollout.journal import chain, configmap, replay
from scripts.rollout.journal.broadcast import Broadcast, copy_to
from scripts.rollout.journal.configmap import ConfigMapJournal
from scripts.rollout.journal.saved import Saved
from scripts.rollout.loop.runner import Runner
from scripts.rollout.loop.world import World
from scripts.rollout.state.actions import Request
from tests.support.api_server import OWNER, Api
from tests.support.folder_world import FolderWorld
from tests.support.worlds import POLICY, Rollout, policy

MAP = "/api/v1/namespaces/default/configmaps/intent-rollout"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/default/leases/intent-rollout"
EVENTS = "/api/v1/namespaces/default/events"


@pytest.fixture
def api() -> Api:
    return Api()


def _journal(api: Api, holder: str = "a") -> ConfigMapJournal:
    return ConfigMapJournal(api, "default", "intent", holder, OWNER)


def _saved() -> Saved:
    return Saved(Rollout.begun().state, "policy")


def _begun(journal: ConfigMapJournal) -> Saved:
    return journal.commit(_saved(), "begin", {"n": 1})


def test_the_last_commit_is_what_is_loaded(api: Api) -> None:
    journal = _journal(api)
    assert journal.load() is None
    saved = journal.commit(_begun(journal), "look", {"n": 2})
    assert _journal(api).load() == saved
    data = api.objects[MAP]["data"]
    assert (data["phase"], data["weight"], data["hash"]) == (
        "Preflight",
        "0",
        saved.hash,
    )
    (owner,) = api.objects[MAP]["metadata"]["ownerReferences"]
    assert (owner["name"], owner["uid"]) == ("intent", "u-1")


def test_whoever_went_on_with_it_stops_the_other_before_it_acts(api: Api) -> None:
    first, second = _journal(api, "a"), _journal(api, "b")
    saved = _begun(first)
    loaded = second.load()
    assert loaded == saved
    second.commit(saved, "look", {"by": "b"})
    with pytest.raises(LockHeld, match="another promoter has written"):
        first.commit(saved, "look", {"by": "a"})


def test_a_request_in_between_is_no_conflict_and_is_kept(api: Api) -> None:
    promoter, person = _journal(api, "a"), _journal(api, "b")
    saved = _begun(promoter)
    person.ask(Request("pause", "lunch"))
    saved = promoter.commit(saved, "look", {})
    person.ask(Request("resume"))
    assert promoter.requests(0) == [Request("pause", "lunch"), Request("resume")]
    assert promoter.requests(1) == [Request("resume")]
    assert promoter.load() == saved


def test_a_write_whose_answer_was_lost_is_not_written_twice(api: Api) -> None:
    journal = _journal(api)
    saved = _begun(journal)
    api.loses_answers = True
    with pytest.raises(Unreachable):
        journal.commit(saved, "look", {"n": 2})
    after = journal.commit(saved, "look", {"n": 2})
    assert (after.seq, journal.load()) == (2, after)


def test_the_last_entries_are_kept_with_the_hash_of_what_came_before(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configmap, "KEPT_BYTES", 1000)
    journal = _journal(api)
    saved = _begun(journal)
    for number in range(20):
        saved = journal.commit(saved, "look", {"n": number})
    data = api.objects[MAP]["data"]
    kept = data["journal.jsonl"].splitlines()
    assert 1 < len(kept) < 20
    entries = list(chain.verify(kept, data["before"], 22 - len(kept)))
    assert entries[-1]["n"] == 19


def test_nobody_asks_while_the_api_is_away(api: Api) -> None:
    journal = _journal(api)
    saved = _begun(journal)
    api.is_away = True
    assert journal.requests(0) == []
    with pytest.raises(Unreachable):
        journal.commit(saved, "look", {})


def test_a_lease_is_held_once_and_given_back(api: Api) -> None:
    with _journal(api, "a").lock():
        assert _journal(api, "b").is_locked()
        assert api.objects[LEASE]["spec"]["holderIdentity"] == "a"
    assert not _journal(api, "b").is_locked()
    with _journal(api, "b").lock():
        assert api.objects[LEASE]["spec"]["holderIdentity"] == "b"


def test_a_lease_that_is_renewed_is_not_taken(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = _journal(api, "a")
    monkeypatch.setattr(lease, "RENEW_S", 0.0)
    monkeypatch.setattr("time.sleep", lambda _: holder.requests(0))
    with (
        holder.lock(),
        pytest.raises(LockHeld, match="another promoter, a, holds the Lease"),
        _journal(api, "b").lock(),
    ):
        raise AssertionError


def test_a_lease_of_the_dead_is_taken_when_it_has_ended(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "DURATION_S", 0.2)
    monkeypatch.setattr(lease, "POLL_S", 0.05)
    monkeypatch.setattr(lease, "RENEW_S", 0.0)
    dead, other = _journal(api, "a"), _journal(api, "b")
    lock = dead.lock()
    lock.__enter__()
    with other.lock():
        assert api.objects[LEASE]["spec"]["holderIdentity"] == "b"
        with pytest.raises(LockHeld):
            dead.requests(0)


def test_whoever_slept_through_a_lease_does_not_give_away_the_others(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "DURATION_S", 0.2)
    monkeypatch.setattr(lease, "POLL_S", 0.05)
    other = _journal(api, "b")
    with ExitStack() as awake:
        with _journal(api, "a").lock():
            awake.enter_context(other.lock())
        assert api.objects[LEASE]["spec"]["holderIdentity"] == "b"
    assert api.objects[LEASE]["spec"]["holderIdentity"] == ""


def test_the_same_holder_goes_on_at_once(api: Api) -> None:
    _journal(api, "job-1").lock().__enter__()
    with _journal(api, "job-1").lock():
        assert api.objects[LEASE]["spec"]["holderIdentity"] == "job-1"


def test_a_renewal_that_was_sent_twice_on_its_way_is_no_other_promoter(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "RENEW_S", 0.0)
    journal, patch = _journal(api), api.patch

    def twice(path: str, read: Object, change: Object) -> Object:
        patch(path, read, change)
        return patch(path, read, change)

    with journal.lock():
        saved = _begun(journal)
        monkeypatch.setattr(api, "patch", twice)
        journal.requests(0)
        monkeypatch.setattr(api, "patch", patch)
        journal.commit(saved, "look", {"n": 2})


def test_the_twin_that_lost_the_journal_leaves_the_lease_to_the_other(api: Api) -> None:
    first, second = _journal(api), _journal(api)
    saved = _begun(first)
    loaded = second.load()
    assert loaded is not None
    with second.lock():
        second.commit(loaded, "look", {"n": 2})
        stopped = ExitStack()
        stopped.enter_context(first.lock())
        with pytest.raises(LockHeld), stopped:
            first.commit(saved, "look", {"n": 3})
        assert _journal(api).is_locked()


def test_a_lease_that_nobody_holds_is_taken_back(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "RENEW_S", 0.0)
    journal = _journal(api)
    with journal.lock():
        api.objects[LEASE]["spec"]["holderIdentity"] = ""
        _begun(journal)
        assert journal.is_locked()


def test_a_copy_without_room_keeps_its_lines_and_ends_nothing(
    api: Api, tmp_path: Path
) -> None:
    copy, said = tmp_path / "there" / "journal.jsonl", list[str]()
    copy.parent.write_text("in the way")
    journal = Broadcast(_journal(api), copy_to(copy, said.append))
    saved = journal.commit(_saved(), "begin", {})
    saved = journal.commit(saved, "look", {})
    copy.parent.unlink()
    journal.commit(saved, "look", {})
    assert [each["seq"] for each in chain.verify(copy.read_text().splitlines())] == [
        1,
        2,
        3,
    ]
    (line,) = said
    assert line.startswith(f"the journal's copy waits: {copy}: ")


def test_a_rollout_is_told_in_events_and_its_chain_is_copied(
    api: Api, tmp_path: Path
) -> None:
    world = FolderWorld(tmp_path)
    chain_file = tmp_path / "copy" / "journal.jsonl"
    kept = _journal(api)
    events = Events(api, "default", OWNER)
    heard = Broadcast(kept, copy_to(chain_file, print), [events])
    world.journal = kept  # type: ignore[assignment]
    runner = Runner(
        policy(),
        POLICY,
        World(world, world, heard, world.now, lambda _: None, world.said.append),
    )
    assert runner.run() is Exit.PROMOTED
    found = replay.journal(chain_file.read_text().splitlines(), None)
    assert found.code is Exit.PROMOTED
    told = [each for path, each in api.objects.items() if path.startswith(EVENTS)]
    assert told[-1]["reason"] == "Promoted"
    assert told[-1]["involvedObject"]["uid"] == "u-1"
    assert {each["type"] for each in told} == {"Normal"}


def test_a_copy_that_missed_what_others_did_is_replayed_from_its_last_beginning(
    tmp_path: Path,
) -> None:
    world = FolderWorld(tmp_path)
    world.runner().run(once=True)
    world.runner().run()
    lines = world.journal.path.read_text().splitlines()
    begin = next(
        i for i, e in enumerate(map(json.loads, lines)) if e["kind"] == "restart"
    )
    assert begin > 1
    found = replay.journal([lines[0], *lines[begin:]], None)
    assert (found.code, found.lines) == (Exit.PROMOTED, (begin + 2, len(lines)))
    with pytest.raises(JournalError, match="chain is broken"):
        replay.journal([*lines[:3], *lines[4:]], None)


def test_a_part_that_a_restart_begins_is_replayed_from_there(tmp_path: Path) -> None:
    world = FolderWorld(tmp_path)
    world.runner().run(once=True)
    before = len(world.journal.path.read_text().splitlines())
    world.runner().run()
    lines = world.journal.path.read_text().splitlines()
    found = replay.journal([lines[before - 1], *lines[before - 1 :]], None)
    assert found.code is Exit.PROMOTED
    assert found.lines == (before + 1, len(lines))
    tail = replay.journal(lines[-3:], None)
    assert (tail.code, tail.lines) == (None, (len(lines) - 1, len(lines)))
    changed = [*lines[-3:-1], lines[-1].replace("1", "2")]
    with pytest.raises(Exception, match=f"line {len(lines)}"):
        replay.journal(changed, None)
    assert json.loads(lines[before])["kind"] == "restart"


@pytest.mark.parametrize(
    "data", [{}, {configmap.STATE: "?"}, {configmap.STATE: "bm8gZ3ppcA=="}]
)
def test_a_state_that_somebody_edited_is_named(api: Api, data: dict[str, str]) -> None:
    journal = _journal(api)
    _begun(journal)
    api.objects[MAP]["binaryData"] = data
    with pytest.raises(JournalError, match=r"ConfigMap intent-rollout: .*(read|JSON)"):
        journal.load()
