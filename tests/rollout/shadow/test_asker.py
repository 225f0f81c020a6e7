"""Both arms asked side by side: who is marked, who is gone, who lends nothing."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import count
from types import SimpleNamespace

import pytest
import urllib3
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from scripts.rollout.metrics.port import Pages
from scripts.rollout.shadow import sources
from scripts.rollout.shadow.asker import PairAsker
from scripts.rollout.shadow.pairs import Pair
from scripts.rollout.shadow.sources import Shadow, Synthetic
from tests.support.waiting import until

GONE = "http://127.0.0.1:1/metrics"
NUMBERS = count()


class Arm:
    """A predictor that lends three texts once, and answers with its label."""

    def __init__(self, server: HTTPServer, label: str) -> None:
        """Below a path of its own; `page` is its metrics page.

        The server is shared, and what an asker left unanswered may come one test later.
        """
        place = f"/{label}-{next(NUMBERS)}"
        self.label, self.page = label, server.url_for(f"{place}/metrics")
        self.lent: list[list[str]] = [["a", "one"], ["b", "two"], ["c", "three"]]
        self.marks: list[str | None] = []
        self.refusals = 0
        for path, answer in (("shadow/texts", self._lend), ("predict", self._classify)):
            server.expect_request(f"{place}/{path}").respond_with_handler(answer)

    def _lend(self, request: Request) -> Response:
        is_known = request.headers["x-recording-token"] == "secret"
        if not is_known or request.get_json() != {"share": 0.5}:
            self.refusals += 1
            return Response(status=403)
        lent, self.lent = self.lent, []
        return Response(json.dumps({"texts": lent}))

    def _classify(self, request: Request) -> Response:
        self.marks.append(request.headers.get("x-intent-traffic"))
        content = {"intent": self.label, "confidence": 0.9}
        status = 500 if self.label == "broken" else 200
        return Response(json.dumps(content), status)


@pytest.fixture
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(maxsize=20, retries=False) as pool:
        yield pool


def _found(asking: PairAsker, least: int) -> list[Pair]:
    found: list[Pair] = []

    def are_enough() -> bool:
        found.extend(asking.take("canary", "stable"))
        return len(found) >= least

    until(are_enough, 20, lambda: found)
    return found


@pytest.mark.parametrize("label", ["greeting", "broken"])
def test_users_texts_are_asked_of_both_and_marked(
    http: urllib3.PoolManager, httpserver: HTTPServer, label: str
) -> None:
    canary, stable = (Arm(httpserver, name) for name in (label, "praise"))
    arms = {"canary": canary.page, "stable": stable.page}

    def find(revisions: Sequence[str]) -> Pages:
        return Pages(predictors=tuple(arms[each] for each in revisions))

    users = Shadow(0.5, "secret", http)
    with closing(PairAsker(users, find, http, print, counts=True)) as asking:
        found = _found(asking, 6)
    assert sorted(each.request for each in found) == ["a", "a", "b", "b", "c", "c"]
    assert {each.canary.label for each in found} == {"" if label == "broken" else label}
    assert {each.stable.label for each in found} == {"praise"}
    assert set(canary.marks) == set(stable.marks) == {"shadow"}


def test_a_pod_that_is_gone_is_nobodys_failure(
    http: urllib3.PoolManager, httpserver: HTTPServer
) -> None:
    stable, asked = Arm(httpserver, "praise"), [0]

    def find(revisions: Sequence[str]) -> Pages:
        asked[0] += revisions == ["canary"]
        doors = {"stable": stable.page, "canary": GONE if asked[0] < 2 else stable.page}
        return Pages(predictors=tuple(doors[each] for each in revisions))

    made = Synthetic(20, ["hello"])
    with closing(PairAsker(made, find, http, print, counts=True)) as asking:
        found = _found(asking, 5)
    assert {each.canary.label for each in found} == {"praise"}
    assert asked[0] >= 2


def test_a_stranger_is_told_once_and_asks_nothing(
    http: urllib3.PoolManager, httpserver: HTTPServer
) -> None:
    arm, said = Arm(httpserver, "praise"), list[str]()
    page = Pages(predictors=(arm.page,))
    users = Shadow(0.5, "guess", http)
    asker = PairAsker(users, lambda _: page, http, said.append, counts=True)
    with closing(asker) as asking:
        asking.take("canary", "stable")
        until(lambda: arm.refusals >= 3, 20)
        assert asking.take("canary", "stable") == []
    assert said == ["no shadow requests: status 403 for the users' texts"]
    assert arm.marks == []


def test_nobody_is_asked_while_an_arm_has_no_pod(
    http: urllib3.PoolManager, httpserver: HTTPServer
) -> None:
    stable, is_there = Arm(httpserver, "praise"), threading.Event()
    looked: list[Sequence[str]] = []

    def find(revisions: Sequence[str]) -> Pages | None:
        looked.append(revisions)
        if revisions == ["canary"] and not is_there.is_set():
            return None
        return Pages(predictors=(stable.page,))

    made = Synthetic(50, ["hello"])
    with closing(PairAsker(made, find, http, print, counts=True)) as asking:
        asking.take("canary", "stable")
        until(lambda: looked.count(["canary"]) >= 2, 20)
        assert asking.take("canary", "stable") == []
        assert stable.marks == []
        is_there.set()
        assert _found(asking, 1)


def test_synthetic_texts_come_at_their_rate_and_in_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds = iter([7.0, 7.5, 60.0])
    clock = SimpleNamespace(monotonic=lambda: next(seconds))
    monkeypatch.setattr(sources, "time", clock)
    made = Synthetic(10, ["a", "b", "c"])
    first = [text for _, text in made.texts(())]
    assert first == ["a", "b", "c", "a", "b", "c", "a", "b", "c", "a"]
    assert [text for _, text in made.texts(())] == ["b", "c", "a", "b", "c"]
    assert len(list(made.texts(()))) == 10  # a second's worth, however long it took
