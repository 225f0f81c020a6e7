"""What the page shows, and what it reads for that."""

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from scripts.rollout import text, wiring
from scripts.rollout.cluster.client import Cluster, Object
from scripts.rollout.dashboard import app
from scripts.rollout.dashboard.app import Page
from scripts.rollout.dashboard.board import Board
from scripts.rollout.dashboard.guard import Token
from scripts.rollout.dashboard.sources import Machine, OnCluster
from scripts.rollout.dashboard.steer import steering
from scripts.rollout.errors import Forbidden, RolloutError
from scripts.rollout.journal import configmap
from scripts.rollout.journal.configmap import ConfigMapJournal
from scripts.rollout.loop.runner import Runner
from scripts.rollout.loop.world import World
from scripts.rollout.state.actions import Request
from scripts.rollout.steering import seen
from scripts.rollout.steering.ask import person
from scripts.rollout.steering.undo import undo
from scripts.rollout.traffic.port import Place
from tests.support.api_server import OWNER, Api
from tests.support.folder_world import FolderWorld
from tests.support.shown import Shown
from tests.support.worlds import POLICY, policy

HERE = "this machine/default.intent"


class Maps(Api):
    """An API server that lists ConfigMaps, in all namespaces or in one."""

    def __init__(self, *, is_strict: bool = False) -> None:
        super().__init__()
        self.is_strict, self.listed = is_strict, list[str]()

    def names(self, path: str) -> list[Object]:
        self.listed.append(path)
        self.get(OWNER)  # is it away?
        if self.is_strict and "/namespaces/" not in path:
            raise Forbidden(403, f"GET {path}: not yours")
        objects = [
            each for name, each in self.objects.items() if "/configmaps/" in name
        ]
        return [{**each["metadata"], "namespace": "default"} for each in objects]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Maps:
    """A cluster with one rollout that waits."""
    server = Maps()
    monkeypatch.setattr(Cluster, "of", lambda _: server)
    return server


def _on_cluster(api: Maps, folder: Path, looks: int) -> FolderWorld:
    world = FolderWorld(folder)
    journal = ConfigMapJournal(api, "default", "intent", "a", OWNER)
    world.journal = journal  # type: ignore[assignment]
    for _ in range(looks):
        adapters = World(
            world, world, journal, world.now, lambda _: None, world.said.append
        )
        Runner(policy(), POLICY, adapters).run(once=True)
    return world


def _shown(board: Board, version: int = -1) -> dict[str, Any]:
    found = _read(board, version)
    assert found is not None
    return found


def _read(board: Board, version: int) -> dict[str, Any] | None:
    for shelf in board.shelves:
        board.refresh(shelf)
    return board.since(version)


def _here(folder: Path) -> Board:
    return Board([Machine(Place(folder))])


def test_a_card_has_the_numbers_of_status_and_what_may_be_asked(tmp_path: Path) -> None:
    journal = Shown(tmp_path, "intent").looks(6).journal
    card = _shown(_here(tmp_path))["cards"][HERE]
    saved = journal.load()
    assert saved is not None
    found = seen.found(journal, saved)
    assert (card["state"], card["weight"]) == ("Step at 25 % of 5/25/50", 25)
    errors, *_, total = card["rows"]
    assert (errors["name"], errors["canary"]) == ("errors", "0.00% (350)")
    row = found["metrics"][0]
    assert errors["next"]["said"] == f"{text.number(row['gate'])} of 4"
    against = sum(each["share"] * each["rollback"] for each in found["metrics"])
    assert (total["name"], total["next"]) == ("weighted sum", None)
    assert total["against"]["said"] == f"{text.number(against)} of 100"
    plot = {name: line.split() for name, line in card["plot"].items()}
    assert [len(line) for line in plot.values()] == [6, 6]
    assert plot["weight"][-1] == "100.0,15.0"
    assert float(plot["against"][-1].split(",")[1]) == round(
        20 * (1 - total["against"]["share"]), 1
    )
    assert card["waiting"] == found["waitingFor"]
    assert card["may"] == ["pause", "promote", "abort"]
    assert card["isIdle"]
    assert {each["holds"] for each in card["conditions"]} >= {"holds", "not checked"}
    assert card["decisions"][0].endswith("5 % -> 25 % on evidence")


def test_what_did_not_change_is_neither_read_nor_sent_again(
    tmp_path: Path,
) -> None:
    first, second = Shown(tmp_path, "intent").looks(4), Shown(tmp_path, "other")
    second.looks(4)
    board = _here(tmp_path)
    version = _shown(board)["version"]
    assert _read(board, version) is None
    first.looks(1)
    news = _shown(board, version)
    assert (list(news["cards"]), len(news["order"])) == ([HERE], 2)
    assert news["ended"] is None


def test_a_promoter_that_comes_or_goes_is_noticed_without_a_new_look(
    tmp_path: Path,
) -> None:
    world = Shown(tmp_path, "intent").looks(4)
    board = _here(tmp_path)
    before = _shown(board)
    assert before["cards"][HERE]["isIdle"]
    with world.journal.lock():
        assert not _shown(board, before["version"])["cards"][HERE]["isIdle"]


def test_ended_ones_say_their_bad_answers_and_who_asked_for_what(
    tmp_path: Path,
) -> None:
    world = Shown(tmp_path, "intent", bad=0.3).looks(3)
    world.journal.ask(Request("pause", "tea", "somebody@there"))
    world.looks(20)
    (row,) = _shown(_here(tmp_path))["ended"]
    assert (row["verdict"], row["target"]) == ("rolled back", "default.intent")
    assert (row["took"], row["bad"]) == ("50s", "errors 15")
    (asked,) = row["asked"]
    assert asked.endswith("pause by somebody@there: tea")


def test_who_undid_a_promotion_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = Shown(tmp_path, "intent").looks(60)
    saved = world.journal.load()
    assert saved is not None
    monkeypatch.setattr(wiring, "traffic", lambda *_: world)
    monkeypatch.setattr(wiring, "broadcast", lambda *_: world.journal)
    assert undo(Place(tmp_path), world.journal, saved, "slow", print).is_verified
    (row,) = _shown(_here(tmp_path))["ended"]
    assert (row["verdict"], row["said"]) == ("aborted", "undone by a person: slow")
    assert row["asked"][-1].endswith(f"undo by {person()}: slow")


def test_each_rollout_of_a_journal_has_its_own_report(tmp_path: Path) -> None:
    world = Shown(tmp_path, "intent", bad=0.3).looks(20)
    journal = world.journal.path
    lines = journal.read_text()
    board = _here(tmp_path)
    (row,) = _shown(board)["ended"]
    first = board.story(HERE, row["number"])
    assert (first.verdict, first.weight) == (10, 0)
    journal.write_text(lines + lines)
    assert len(_shown(board)["ended"]) == 2
    assert [board.story(HERE, n).looks for n in (0, 1, -1)] == [first.looks] * 3
    with pytest.raises(RolloutError, match="no rollout number 2"):
        board.story(HERE, 2)
    journal.write_text(lines)
    assert len(_shown(board)["ended"]) == 1


def test_one_that_cannot_be_read_is_said_on_its_card_alone(tmp_path: Path) -> None:
    broken = Shown(tmp_path, "broken").looks(2)
    Shown(tmp_path, "intent").looks(2)
    (broken.journal.folder / "state.json").write_text("{")
    cards = _shown(_here(tmp_path))["cards"]
    assert cards["this machine/default.broken"]["state"] == "cannot be read"
    assert "not JSON" in cards["this machine/default.broken"]["waiting"][0]
    assert cards[HERE]["kind"] == "live"


@pytest.mark.parametrize(
    "line",
    ["{", "[]", "{}", '{"kind": "look"}', '{"kind": "begin", "state": {}}'],
)
def test_a_journal_that_somebody_damaged_is_said_on_its_card_alone(
    tmp_path: Path, line: str
) -> None:
    damaged = Shown(tmp_path, "damaged").looks(2)
    Shown(tmp_path, "intent").looks(2)
    with damaged.journal.path.open("a") as file:
        file.write(f"{line}\n")
    cards = _shown(_here(tmp_path))["cards"]
    assert cards["this machine/default.damaged"]["state"] == "cannot be read"
    assert cards[HERE]["kind"] == "live"


def test_rollouts_of_a_cluster_are_beside_those_of_this_machine(
    tmp_path: Path, api: Maps
) -> None:
    Shown(tmp_path, "intent").looks(2)
    _on_cluster(api, tmp_path, 4)
    place = Place(tmp_path)
    board = Board([Machine(place), OnCluster(place)])
    news = _shown(board)
    there = "cluster http://api/default.intent"
    assert news["order"] == [HERE, there]
    assert news["cards"][there]["where"] == "cluster http://api"
    said = steering(place)(board.known(there), "pause", "tea")
    assert said == "pause asked for; no promoter is running, the next run will read it"
    unread = _shown(board, news["version"])["cards"][there]["unread"]
    assert len(unread) == 1
    assert unread[0].startswith("pause was asked for by ")
    assert board.story(there, -1).canary == "r-00002"


def test_a_cluster_keeps_the_newest_entries_alone_and_they_are_named(
    tmp_path: Path, api: Maps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configmap, "KEPT_BYTES", 6000)
    world = _on_cluster(api, tmp_path, 60)
    assert '"begin"' not in "".join(world.journal.tail())
    board = Board([OnCluster(Place(tmp_path))])
    (row,) = _shown(board)["ended"]
    assert (row["target"], row["arms"]) == ("default.intent", "r-00001 → r-00002")
    assert (row["verdict"], row["took"]) == ("promoted", "2m10s")


def test_what_a_cluster_no_longer_keeps_is_known_to_whoever_went_on_looking(
    tmp_path: Path, api: Maps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configmap, "KEPT_BYTES", 12_000)
    board = Board([OnCluster(Place(tmp_path))])
    for _ in range(14):
        world = _on_cluster(api, tmp_path, 1)
        news = _shown(board)
    (card,) = news["cards"].values()
    assert card["decisions"][-1].endswith("first step: 5 %"), card["decisions"]
    (past,) = board.known(f"cluster http://api/{world.journal.name}").rollouts.pasts
    assert past.curve.looks > len(world.journal.tail())
    (row,) = news["ended"]
    assert (row["verdict"], row["took"]) == ("promoted", "2m10s")


def test_a_copy_that_begins_in_the_middle_hides_nothing_that_a_cluster_keeps(
    tmp_path: Path, api: Maps
) -> None:
    """As on the machine of a promoter that went on after another one's."""
    world = _on_cluster(api, tmp_path, 60)
    copy = wiring.copy_path(tmp_path.resolve(), world.journal.name)
    copy.parent.mkdir(parents=True)
    copy.write_text(f"{world.journal.tail()[-1]}\n")
    (row,) = _shown(Board([OnCluster(Place(tmp_path))]))["ended"]
    assert (row["arms"], row["took"]) == ("r-00001 → r-00002", "2m10s")


def test_a_cluster_that_is_silent_keeps_its_rollouts_and_is_said(
    tmp_path: Path, api: Maps
) -> None:
    _on_cluster(api, tmp_path, 4)
    board = Board([OnCluster(Place(tmp_path))])
    before = _shown(board)
    api.is_away = True
    news = _shown(board, before["version"])
    assert news["order"] == before["order"]
    assert news["troubles"] == ["cluster http://api cannot be read: no API server"]
    api.is_away = False
    assert _shown(board, news["version"])["troubles"] == []


class Silent(Machine):
    """A place that does not answer for as long as a test goes on."""

    where = "nowhere"

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.is_over = threading.Event()

    def versions(self) -> dict[str, str]:
        self.is_over.wait()
        return {}


def test_a_place_that_does_not_answer_keeps_nobody_from_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Shown(tmp_path, "intent").looks(2)
    place = Place(tmp_path)
    silent = Silent(place)
    page = Page(Board([silent, Machine(place)]), Token(), None, lambda: False)
    monkeypatch.setattr(app, "FIRST_S", 0.01)

    async def seen() -> None:
        try:
            async for event in app.Reading(page).events():
                if HERE in event:
                    return
        finally:
            silent.is_over.set()

    asyncio.run(asyncio.wait_for(seen(), 60))


def test_whoever_may_list_one_namespace_alone_sees_that(
    tmp_path: Path, api: Maps
) -> None:
    _on_cluster(api, tmp_path, 2)
    api.is_strict = True
    board = Board([OnCluster(Place(tmp_path))])
    assert len(_shown(board)["order"]) == 1
    _read(board, 0)
    own = "/api/v1/namespaces/default/configmaps"
    assert api.listed == ["/api/v1/configmaps", own, own]


def test_everything_of_a_card_can_be_sent(tmp_path: Path) -> None:
    Shown(tmp_path, "intent", bad=0.3).looks(20)
    assert json.loads(json.dumps(_shown(_here(tmp_path))))["version"] == 1
