"""Other sites' pages, and other people of this machine, ask the dashboard's server."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from scripts.rollout.state.actions import Request
from tests.support.shown import Shown, dashboard

EVIL = "http://evil.test"
PATHS = ("/", "/app.js", "/app.css", "/api/events", "/api/ask", "/report", "/nowhere")


class Asker:
    """Whoever knows the address, and what a browser sends for its own page."""

    def __init__(self, address: str, world: Shown) -> None:
        url = urlsplit(address)
        self.world, self.host, self.token = world, url.netloc, url.fragment
        self.id = f"this machine/{world.journal.name}"

    @property
    def headers(self) -> dict[str, str]:
        """Those of the page itself."""
        own = {"Host": self.host, "Origin": f"http://{self.host}"}
        return {**own, "Authorization": f"Bearer {self.token}"}

    def ask(
        self, method: str, path: str, headers: dict[str, str], body: Any = None
    ) -> tuple[int, http.client.HTTPMessage, str]:
        """Status, headers and the first bytes of the answer."""
        connection = http.client.HTTPConnection(self.host, timeout=30)
        sent = None if body is None else json.dumps(body)
        connection.request(method, path, sent, headers)
        answer = connection.getresponse()
        said = answer.read1(1 << 20).decode()
        connection.close()
        return answer.status, answer.headers, said

    def pause(self, headers: dict[str, str]) -> int:
        """Ask for a pause, as a button does."""
        body = {"id": self.id, "verb": "pause", "reason": "attack"}
        return self.ask("POST", "/api/ask", headers, body)[0]


@pytest.fixture(scope="module")
def on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asker]:
    """A rollout without a promoter, on a page."""
    state = tmp_path_factory.mktemp("attacked")
    world = Shown(state, "left").looks(4)
    with dashboard(state) as address:
        asker = Asker(address, world)
        asker.ask("GET", "/api/events", asker.headers)
        yield asker


def test_what_the_page_itself_sends_is_carried_out(on: Asker) -> None:
    """So what is refused below is refused for what is changed there."""
    before = len(on.world.journal.requests(0))
    assert on.pause(on.headers) == 200
    asked = on.world.journal.requests(before)
    assert [(each.verb, each.reason) for each in asked] == [("pause", "attack")]
    assert "@" in asked[0].by


@pytest.mark.parametrize(
    "changed",
    [
        {"Origin": EVIL},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": ""},
        {"Host": "evil.test:{port}"},
        {"Host": "127.0.0.1:1"},
        {"Host": "evil.test:{port}", "Origin": "http://evil.test:{port}"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": ""},
        {"Authorization": "", "Cookie": "token={token}"},
    ],
    ids=str,
)
def test_a_request_of_anybody_else_is_refused(
    on: Asker, changed: dict[str, str]
) -> None:
    before = on.world.journal.requests(0)
    known = {"port": on.host.partition(":")[2], "token": on.token}
    headers = on.headers | {
        name: text.format_map(known) for name, text in changed.items()
    }
    assert on.pause({name: text for name, text in headers.items() if text}) == 403
    assert on.world.journal.requests(0) == before


def test_a_name_that_was_pointed_here_reads_nothing(on: Asker) -> None:
    for path in PATHS:
        status, _, said = on.ask("GET", path, {**on.headers, "Host": "evil.test"})
        assert (status, "Host: expected" in said) == (403, True), path


def test_no_get_changes_anything(on: Asker) -> None:
    before = on.world.journal.requests(0)
    query = f"/api/ask?id={on.id.replace(' ', '%20')}&verb=abort&reason=x"
    for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
        assert on.ask(method, query, on.headers)[0] == 405, method
    assert on.world.journal.requests(0) == before


def test_no_answer_may_be_framed_kept_or_read_by_another_site(on: Asker) -> None:
    for path in PATHS:
        _, headers, _ = on.ask("GET", path, on.headers)
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], path
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in headers
        assert "Set-Cookie" not in headers


def test_no_script_within_a_page_is_run(on: Asker) -> None:
    _, headers, page = on.ask("GET", "/", on.headers)
    policy = headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "<script>" not in page
    assert " style=" not in page
    assert " onclick=" not in page


def test_a_reports_link_opens_that_report_alone_in_an_origin_of_its_own(
    on: Asker,
) -> None:
    _, _, events = on.ask("GET", "/api/events", on.headers)
    news = json.loads(events.removeprefix("data: ").partition("\n")[0])
    link = news["cards"][on.id]["report"]
    status, headers, page = on.ask("GET", link, {"Host": on.host})
    assert (status, "<title>default.left: r-00002</title>" in page) == (200, True)
    policy = headers["Content-Security-Policy"]
    assert policy.endswith("sandbox allow-scripts")
    assert "'unsafe-inline'" not in policy.partition("style-src")[0]
    for other in (link[:-1], link.replace("n=-1", "n=0"), link.replace("left", "x")):
        assert on.ask("GET", other, {"Host": on.host})[0] == 403, other


def test_what_makes_no_sense_is_said_and_changes_nothing(on: Asker) -> None:
    before = on.world.journal.requests(0)
    for body, status in (
        ("pause", 400),
        ({"id": on.id, "verb": "pause"}, 400),
        ({"id": on.id, "verb": "pause", "reason": "x" * 5000}, 400),
        ({"id": "../../etc", "verb": "pause", "reason": ""}, 409),
        ({"id": on.id, "verb": "explode", "reason": ""}, 409),
        ({"id": on.id, "verb": "promote", "reason": " "}, 409),
        ({"id": on.id, "verb": "undo", "reason": ""}, 409),
    ):
        assert on.ask("POST", "/api/ask", on.headers, body)[0] == status, body
    assert on.world.journal.requests(0) == before


def test_read_only_no_button_works_and_none_is_shown(
    tmp_path: Path,
) -> None:
    world = Shown(tmp_path, "left").looks(2)
    with dashboard(tmp_path, is_read_only=True) as address:
        reader = Asker(address, world)
        _, _, events = reader.ask("GET", "/api/events", reader.headers)
        assert '"mayAsk": false' in events
        assert reader.pause(reader.headers) == 403
    assert world.journal.requests(0) == list[Request]()
