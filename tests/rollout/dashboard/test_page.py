"""The page in a real Chromium: steered by clicks, read by axe-core, attacked."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pytest_httpserver import HTTPServer

from scripts.rollout.errors import Exit
from tests.support import axe
from tests.support.clicked import ALL_IN_SIGHT, click, says
from tests.support.shown import Shown, dashboard
from tests.support.tab import EVIL, SAID, Tab, tab

TOO_WIDE = """
document.documentElement.scrollWidth - document.documentElement.clientWidth
"""
# What a page of another site tries in the reader's browser; the token is not its.
ATTACK = """
<iframe src="{page}"></iframe>
<form method="post" action="{page}api/ask" target="posted"></form>
<iframe name="posted"></iframe>
<script>
  document.forms[0].submit();
  const ask = {{ method: "POST", body: JSON.stringify({body}) }};
  const tried = [
    fetch("{page}api/ask", ask), fetch("{page}api/ask", {{ ...ask, mode: "no-cors" }}),
    fetch("{page}api/events"), fetch("{page}app.js"),
  ];
  Promise.allSettled(tried).then((all) => {{
    document.title = all.map((each) => each.value?.type ?? each.status).join(" ");
  }});
</script>
"""
WATCH = """
window.changed = new Set();
new MutationObserver((all) => {
  for (const { type, target } of all) {
    const element = target.nodeType === 3 ? target.parentElement : target;
    if (!element.closest(".times")) window.changed.add(`${type} ${element.tagName}`);
  }
}).observe(document.querySelector("main"),
  { subtree: true, childList: true, characterData: true, attributes: true });
0
"""
OPEN_ALL = """
document.querySelectorAll("details").forEach((each) => { each.open = true; })
"""
LEFT, RIGHT, INTENT = "default.left", "default.right", "default.intent"
HOSTILE = "<img src=x: onerror=\"document.title = 'ran'\"></li><script>"


@pytest.fixture(scope="module")
def _opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with tab(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture
def browser(_opened: Tab) -> Iterator[Tab]:
    """The same browser for all, which has left the page of the test before."""
    yield _opened
    _opened.open("about:blank")
    _opened.until("location.href === 'about:blank'")
    _opened.complaints.clear()


def test_of_two_rollouts_one_is_promoted_by_a_click_and_one_aborted(
    tmp_path: Path, browser: Tab
) -> None:
    left, right = Shown(tmp_path, "left"), Shown(tmp_path, "right")
    with ExitStack() as until_then:
        for world in (left.looks(3), right.looks(3)):
            until_then.enter_context(world.at_work())
        browser.open(until_then.enter_context(dashboard(tmp_path)))
        says(browser, LEFT, "Step at 5 %", "errors", "waits for: ")
        click(browser, LEFT, "pause", "tea")
        paused = "paused by a person: tea"
        says(browser, LEFT, f"pause, taken: {paused}", "PAUSED BY A PERSON")
        click(browser, RIGHT, "abort", HOSTILE)
        says(
            browser,
            "default.right",
            "Aborted at 0 %",
            f"aborted by a person: {HOSTILE}",
        )
        click(browser, LEFT, "promote", "enough", is_full=True)
        says(
            browser,
            "default.left",
            "promote-full, taken: ",
            "Promoted at 100 %",
            "undo",
        )
        ended = "document.getElementById('ended').innerText"
        for said in ("promoted", "aborted", HOSTILE, "promote-full by "):
            browser.until(f"{ended}.includes({json.dumps(said)})")
    verdicts = []
    for world in (left, right):
        saved = world.journal.load()
        verdicts.append(saved.state.verdict if saved else None)
    assert verdicts == [Exit.PROMOTED, Exit.ABORTED]
    assert browser.run("document.title") == "Rollouts"
    assert browser.complaints == []


def test_it_is_readable_by_everybody_at_any_width(tmp_path: Path, browser: Tab) -> None:
    """axe-core finds nothing, and nothing is cut off or has to be scrolled to."""
    Shown(tmp_path, "intent").looks(4)
    Shown(tmp_path, "worse", bad=0.3).looks(8)
    Shown(tmp_path, "with-a-name-as-long-as-a-name-may-be").looks(40)
    with dashboard(tmp_path) as address:
        for width, is_dark in ((400, False), (400, True), (1400, False), (1400, True)):
            browser.open(address, width, is_dark=is_dark)
            browser.until("document.querySelectorAll('article').length === 3")
            browser.run(ALL_IN_SIGHT)
            browser.run(OPEN_ALL)
            assert browser.run(TOO_WIDE) == 0, width
            assert axe.violations(browser) == []
        browser.run("document.querySelector('.buttons button').click()")
        assert axe.violations(browser) == []
        report = browser.run("document.querySelector('.report').href")
        browser.open(report)
        browser.until("document.querySelectorAll('figure svg path[d]').length > 9")
        assert browser.complaints == []


def test_nothing_that_did_not_change_is_touched(tmp_path: Path, browser: Tab) -> None:
    """So nothing flickers, and a screen reader stays where it is."""
    world = Shown(tmp_path, "intent").looks(4)
    with dashboard(tmp_path) as address:
        browser.open(address)
        says(browser, INTENT, "Step at 5 %")
        browser.run(WATCH)
        world.looks(2)
        says(browser, INTENT, "Step at 25 %")
        changed = browser.run("[...window.changed]")
    assert "childList DIV" not in changed
    assert not [each for each in changed if "H3" in each or "BUTTON" in each], changed
    assert "childList TD" in changed
    assert "attributes polyline" in changed


def test_another_sites_page_gets_nowhere_in_the_same_browser(
    tmp_path: Path, browser: Tab, httpserver: HTTPServer
) -> None:
    world = Shown(tmp_path, "intent").looks(4)
    with dashboard(tmp_path) as address:
        url = urlsplit(address)
        page = f"http://{url.netloc}/"
        browser.open(address)
        says(browser, INTENT, "waits for: ")
        body = {"id": "this machine/default.intent", "verb": "abort", "reason": ""}
        attack = ATTACK.format(page=page, body=json.dumps(body))
        served = httpserver.expect_request("/")
        served.respond_with_data(attack, content_type="text/html")
        browser.open(httpserver.url_for("/"))
        tried = browser.until("document.title")
        browser.open(f"http://{EVIL}:{url.port}/")
        browser.until(f"{SAID}.includes('Host: expected')")
        complaints = " ".join(browser.complaints)
    assert tried == "rejected rejected rejected rejected"
    assert "frame-ancestors 'none'" in complaints
    assert world.journal.requests(0) == []
