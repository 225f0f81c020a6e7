"""The last message is not lost: it is kept, said, and sent by the next command."""

from contextlib import closing
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from scripts.canary import main
from scripts.rollout.errors import Exit
from scripts.rollout.integrations import webhook
from scripts.rollout.integrations.outbox import Outbox
from scripts.rollout.integrations.webhook import Notify, Receiver
from scripts.rollout.journal.broadcast import Broadcast
from scripts.rollout.journal.configmap import ConfigMapJournal
from scripts.rollout.journal.file import FileJournal
from scripts.rollout.journal.saved import Saved
from scripts.rollout.loop.runner import Runner
from scripts.rollout.loop.world import World
from scripts.rollout.policy.reader import parse
from tests.support.api_server import OWNER, Api
from tests.support.folder_world import FolderWorld
from tests.support.receiver import received
from tests.support.worlds import POLICY, Rollout

URL = "TOLD_AT"
TEXT = f"{POLICY}notify: [{{url: '${{{URL}}}'}}]\n"
Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a receiver that is down, and everybody for a busy machine."""
    monkeypatch.setattr(webhook, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(webhook, "PATIENCE_S", 60.0)


def _promoted(folder: Path) -> FolderWorld:
    """A rollout whose promoter has ended."""
    cluster = FolderWorld(folder)
    cluster.journal = FileJournal(folder / "rollouts" / "default.intent")
    policy, outbox = parse(TEXT), Outbox(cluster.journal)
    receiver = Receiver(policy.notify[0], 0)
    with closing(Notify(receiver, policy.key, outbox)) as told:
        heard = Broadcast(cluster.journal, None, [told])
        world = World(cluster, cluster, heard, cluster.now, lambda _: None, print)
        assert Runner(policy, TEXT, world).run() is Exit.PROMOTED
    return cluster


def test_a_receiver_that_is_down_at_the_end_is_told_by_the_next_command(
    httpserver: HTTPServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Captured,
) -> None:
    monkeypatch.setenv(URL, httpserver.url_for("/hook"))
    httpserver.expect_request("/hook").respond_with_data(status=503)
    cluster = _promoted(tmp_path)
    host = f"127.0.0.1:{httpserver.port}"
    assert f"no receipt from {host}; it is kept" in capsys.readouterr().err
    status = ["status", "intent", "--dir", str(tmp_path)]
    assert main(status) == Exit.PROMOTED
    assert f"no receipt from {host}; it is kept" in capsys.readouterr().err
    httpserver.clear()
    httpserver.expect_request("/hook").respond_with_data()
    assert main(status) == Exit.PROMOTED
    assert "notify[0] was told (r-00002: Promoted" in capsys.readouterr().err
    ((message,), left) = received(httpserver), cluster.journal.unsent()
    assert (message["phase"], message["verdict"], left) == ("Promoted", "PROMOTED", [])
    assert main(status) == Exit.PROMOTED
    assert capsys.readouterr().err == ""


def test_what_was_received_is_not_kept(
    httpserver: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(URL, httpserver.url_for("/hook"))
    httpserver.expect_request("/hook").respond_with_data()
    assert _promoted(tmp_path).journal.unsent() == []


def test_without_the_variable_the_message_is_kept_and_the_variable_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.delenv(URL, raising=False)
    cluster = _promoted(tmp_path)
    said = "not sent: notify[0].url: variable TOLD_AT: expected one line of ASCII"
    assert said in capsys.readouterr().err
    assert len(cluster.journal.unsent()) == 1


def test_a_promoter_that_is_killed_after_the_verdict_has_kept_the_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is closed: what is kept was kept before it was sent."""
    monkeypatch.setenv(URL, "http://127.0.0.1:1")
    journal = FileJournal(tmp_path)
    told = Notify(Receiver(parse(TEXT).notify[0], 0), "default.intent", Outbox(journal))
    ended = Rollout.begun().state.changed(verdict=Exit.HELD)
    told(Saved(ended, TEXT).extended("look", {}))
    assert [each["verdict"] for _, each in Outbox(journal).left()] == ["HELD"]
    told.close()


def test_on_a_cluster_they_are_kept_beside_the_journal(capsys: Captured) -> None:
    api = Api()
    journal = ConfigMapJournal(api, "default", "intent", "a", OWNER)
    saved = journal.commit(Saved(Rollout.begun().state, TEXT), "begin", {})
    outbox = Outbox(journal)
    outbox.put(0, {"seq": 1})
    outbox.put(1, {"seq": 1})
    outbox.put(0, {"seq": 2})
    assert outbox.left() == [(1, {"seq": 1}), (0, {"seq": 2})]
    journal.commit(saved, "look", {})
    outbox.put(1, None)
    assert outbox.left() == [(0, {"seq": 2})]
    api.is_away = True
    outbox.put(0, None)
    assert "notify[0]: the message is not kept: no API" in capsys.readouterr().err
