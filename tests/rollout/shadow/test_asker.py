"""Both arms asked side by side: who is marked, who is gone, who lends nothing."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from scripts.rollout.errors import RolloutError
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

        Two arms share the server.
        """
        place = f"/{label}-{next(NUMBERS)}"
        self.label, self.page = label, server.url_for(f"{place}/metrics")
        self.lent: dict[str, Any] = {"model": "intent", "grpcPort": None}
        self.lent["requests"] = [
            _lent("a", "predict", "one"),
            _lent("b", "v1", "two"),
            _lent("c", "grpc", "three", "four"),
        ]
        self.marks: list[str | None] = []
        self.refusals = 0
        self.forms: list[str] = []
        for path, answer in (
            ("shadow/texts", self._lend),
            ("predict", self._classify),
            ("v1/models/intent:predict", self._classify_v1),
            ("v2/models/intent/infer", self._classify_v2),
        ):
            server.expect_request(f"{place}/{path}").respond_with_handler(answer)

    def _lend(self, request: Request) -> Response:
        is_known = request.headers["x-recording-token"] == "secret"
        wanted = {"share": 0.5, "as": "requests"}
        if not is_known or request.get_json() != wanted:
            self.refusals += 1
            return Response(status=403)
        lent, self.lent = self.lent, {}
        return Response(json.dumps(lent))

    def _classify(self, request: Request) -> Response:
        return self._said(request, {"intent": self.label, "confidence": 0.9})

    def _classify_v1(self, request: Request) -> Response:
        one = {"label": self.label, "confidence": 0.9}
        count = len(request.get_json()["instances"])
        return self._said(request, {"predictions": [one] * count})

    def _classify_v2(self, request: Request) -> Response:
        (tensor,) = request.get_json()["inputs"]
        count = len(tensor["data"])
        label = {"name": "label", "data": [self.label] * count}
        confidence = {"name": "confidence", "data": [0.9] * count}
        return self._said(request, {"outputs": [label, confidence]})

    def _said(self, request: Request, content: object) -> Response:
        self.forms.append(f"{request.path.rpartition('/')[2]} {request.get_json()}")
        self.marks.append(request.headers.get("x-intent-traffic"))
        status = 500 if self.label == "broken" else 200
        return Response(json.dumps(content), status)


def _lent(name: str, protocol: str, *texts: str) -> dict[str, Any]:
    return {"id": name, "protocol": protocol, "form": "plain", "texts": texts}


@pytest.fixture
def httpserver() -> Iterator[HTTPServer]:
    """One for each test: what its threads still ask comes to no other test."""
    with HTTPServer(host="127.0.0.1", port=0) as server:
        yield server


@pytest.fixture
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(maxsize=20, retries=False) as pool:
        yield pool


def _found(asking: PairAsker, least: int) -> list[Pair]:
    found: list[Pair] = []

    def are_enough() -> bool:
        found.extend(asking.take("canary", "stable"))
        return len(found) >= least

    until(are_enough, shown=lambda: found)
    return found


@pytest.mark.parametrize("label", ["greeting", "broken"])
def test_users_requests_are_asked_of_both_as_they_came_and_marked(
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
    failed = label == "broken"
    assert {each.canary.labels for each in found} == (
        {()} if failed else {(label,), (label, label)}
    )
    assert {each.stable.labels for each in found} == {("praise",), ("praise",) * 2}
    assert set(canary.marks) == set(stable.marks) == {"shadow"}
    assert sorted(canary.forms) == sorted(stable.forms)
    assert len(set(canary.forms)) == 3


def test_an_older_predictors_texts_are_asked_one_by_one(
    http: urllib3.PoolManager, httpserver: HTTPServer
) -> None:
    """One arm's image lends texts without their protocol, the other's does not."""
    canary, stable = (Arm(httpserver, name) for name in ("greeting", "praise"))
    stable.lent = {"texts": [["x/0", "five"], ["x/1", "six"]]}
    arms = {"canary": canary.page, "stable": stable.page}

    def find(revisions: Sequence[str]) -> Pages:
        return Pages(predictors=tuple(arms[each] for each in revisions))

    users = Shadow(0.5, "secret", http)
    with closing(PairAsker(users, find, http, print, counts=True)) as asking:
        found = _found(asking, 5)
    assert sorted(each.request for each in found) == ["a", "b", "c", "x/0", "x/1"]
    assert "predict {'text': 'five'}" in canary.forms


class Cached:
    """Two arms behind one cache: whoever asks for a text first fails on it."""

    def __init__(self, server: HTTPServer) -> None:
        """Below a path of its own for each arm."""
        self._known: set[str] = set()
        self._lock = threading.Lock()
        place = f"/cached-{next(NUMBERS)}"
        self.pages = {}
        for arm in ("canary", "stable"):
            path = f"{place}/{arm}"
            self.pages[arm] = server.url_for(f"{path}/metrics")
            asked = server.expect_request(f"{path}/predict")
            asked.respond_with_handler(self._answer)

    def find(self, revisions: Sequence[str]) -> Pages:
        """Return the arms' pages."""
        return Pages(predictors=tuple(self.pages[each] for each in revisions))

    def _answer(self, request: Request) -> Response:
        text = request.get_json()["text"]
        with self._lock:
            is_known = text in self._known
            self._known.add(text)
        status = 200 if is_known else 500
        return Response(json.dumps({"intent": "a", "confidence": 0.9}), status)


def test_a_cache_that_helps_whoever_is_second_speaks_against_neither(
    http: urllib3.PoolManager, httpserver: HTTPServer
) -> None:
    """One arm fails in each pair; by lot it is each of them about as often."""
    cached = Cached(httpserver)
    made = Synthetic(400, [f"text {number}" for number in range(20_000)])
    with closing(PairAsker(made, cached.find, http, print, counts=True)) as asking:
        found = _found(asking, 200)[:200]
    failed = [(not each.canary.labels, not each.stable.labels) for each in found]
    assert set(failed) == {(True, False), (False, True)}
    assert 60 < sum(canary for canary, _ in failed) < 140  # 5.7 standard deviations


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
    assert {each.canary.labels for each in found} == {("praise",)}
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
        until(lambda: arm.refusals >= 3)
        assert asking.take("canary", "stable") == []
    assert said == ["no shadow requests: status 403 for the users' texts"]
    assert arm.marks == []


def test_a_predictor_that_cannot_lend_is_refused_with_what_to_use_instead(
    http: urllib3.PoolManager, httpserver: HTTPServer
) -> None:
    arm, foreign = Arm(httpserver, "praise"), httpserver.url_for("/foreign/metrics")
    httpserver.expect_request("/foreign/shadow/texts").respond_with_data(status=404)
    doors = {"ours": arm.page, "theirs": foreign, "gone": GONE}
    users = Shadow(0.5, "guess", http)

    def find(revisions: Sequence[str]) -> Pages:
        return Pages(predictors=tuple(doors[each] for each in revisions))

    with closing(PairAsker(users, find, http, print, counts=True)) as asker:
        asker.refuse_foreign("ours")
        asker.refuse_foreign("gone")
        with pytest.raises(RolloutError, match=r"404 for /shadow/texts: .* synthetic"):
            asker.refuse_foreign("theirs")
    made = Synthetic(20, ["hello"])
    with closing(PairAsker(made, find, http, print, counts=True)) as asker:
        asker.refuse_foreign("theirs")


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
        until(lambda: looked.count(["canary"]) >= 2)
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
    first = [lent.texts[0] for lent in made.requests(())]
    assert first == ["a", "b", "c", "a", "b", "c", "a", "b", "c", "a"]
    assert [lent.texts[0] for lent in made.requests(())] == ["b", "c", "a", "b", "c"]
    assert len(list(made.requests(()))) == 10  # a second's worth, however long it took
