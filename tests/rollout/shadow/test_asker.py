"""Both arms asked side by side: who is marked, who is gone, who lends nothing."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import urllib3

from scripts.rollout.metrics.port import Pages
from scripts.rollout.shadow.asker import PairAsker
from scripts.rollout.shadow.pairs import Pair
from scripts.rollout.shadow.sources import Shadow, Synthetic
from tests.support.predictors import serving


class Arm(ThreadingHTTPServer):
    """A predictor that lends three texts once, and answers with its label."""

    daemon_threads = True

    def __init__(self, label: str) -> None:
        """On a free port."""
        super().__init__(("127.0.0.1", 0), Handler)
        self.label, self.url = label, f"http://127.0.0.1:{self.server_port}"
        self.texts = [["a", "one"], ["b", "two"], ["c", "three"]]
        self.marks: list[str | None] = []


class Handler(BaseHTTPRequestHandler):
    """The paths that a promoter knows."""

    server: Arm

    def do_POST(self) -> None:
        """Lend, or classify."""
        arm = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, content = 200, {"intent": arm.label, "confidence": 0.9}
        if self.path == "/shadow/texts":
            if self.headers["x-recording-token"] != "secret" or body != {"share": 0.5}:
                status = 403
            content, arm.texts = {"texts": arm.texts}, []
        else:
            arm.marks.append(self.headers["x-intent-traffic"])
            status = 500 if arm.label == "broken" else 200
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(maxsize=20, retries=False) as pool:
        yield pool


def _found(asking: PairAsker, least: int) -> list[Pair]:
    found: list[Pair] = []
    deadline = time.monotonic() + 20
    while len(found) < least:
        found += asking.take("canary", "stable")
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


@pytest.mark.parametrize("label", ["greeting", "broken"])
def test_users_texts_are_asked_of_both_and_marked(
    http: urllib3.PoolManager, label: str
) -> None:
    with ExitStack() as running:
        canary, stable = (
            running.enter_context(serving(Arm(name))) for name in (label, "praise")
        )
        urls = {"canary": canary.url, "stable": stable.url}

        def find(revisions: Sequence[str]) -> Pages:
            return Pages(predictors=tuple(f"{urls[r]}/metrics" for r in revisions))

        users = Shadow(0.5, "secret", http)
        asking = PairAsker(users, find, http, print, counts=True)
        found = _found(asking, 6)
    assert sorted(each.request for each in found) == ["a", "a", "b", "b", "c", "c"]
    assert {each.canary.label for each in found} == {"" if label == "broken" else label}
    assert {each.stable.label for each in found} == {"praise"}
    assert set(canary.marks) == set(stable.marks) == {"shadow"}


def test_a_pod_that_is_gone_is_nobodys_failure(http: urllib3.PoolManager) -> None:
    with serving(Arm("praise")) as stable:
        gone, asked = "http://127.0.0.1:1", [0]

        def find(revisions: Sequence[str]) -> Pages:
            asked[0] += revisions == ["canary"]
            now = gone if asked[0] < 2 else stable.url
            doors = {"stable": stable.url, "canary": now}
            return Pages(predictors=tuple(f"{doors[r]}/metrics" for r in revisions))

        made = Synthetic(20, ["hello"])
        asking = PairAsker(made, find, http, print, counts=True)
        found = _found(asking, 5)
    assert {each.canary.label for each in found} == {"praise"}
    assert asked[0] >= 2


def test_a_stranger_is_told_once_and_asks_nothing(http: urllib3.PoolManager) -> None:
    with serving(Arm("praise")) as arm:
        page = Pages(predictors=(f"{arm.url}/metrics",))
        said: list[str] = []
        users = Shadow(0.5, "guess", http)
        asking = PairAsker(users, lambda _: page, http, said.append, counts=True)
        asking.take("canary", "stable")
        deadline = time.monotonic() + 20
        while not said:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        time.sleep(1.2)
        assert asking.take("canary", "stable") == []
    assert said == ["no shadow requests: status 403 for the users' texts"]


def test_nobody_is_asked_while_an_arm_has_no_pod(http: urllib3.PoolManager) -> None:
    made = Synthetic(50, ["hello"])
    asking = PairAsker(made, lambda _: None, http, print, counts=True)
    asking.take("canary", "stable")
    time.sleep(0.7)
    assert asking.take("canary", "stable") == []


def test_synthetic_texts_come_at_their_rate_and_in_turns() -> None:
    made = Synthetic(10, ["a", "b", "c"])
    first = [text for _, text in made.texts(())]
    assert first == ["a", "b", "c", "a", "b", "c", "a", "b", "c", "a"]
    time.sleep(0.5)
    assert 4 <= len(list(made.texts(()))) <= 8
