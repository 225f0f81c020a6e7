"""Pages over real HTTP: many at once, one request a page, silence where none does."""

import time
from contextlib import AbstractContextManager, ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from scripts.local.processes import free_ports
from scripts.rollout.metrics.port import Pages
from scripts.rollout.metrics.scrape import Scrape
from tests.support.predictors import serving

GATEWAY = 'envoy_cluster_upstream_rq_completed{envoy_cluster_name="default/r-1"} 5\n'


class Page(ThreadingHTTPServer):
    """A metrics page; it can hang, and counts who asks."""

    daemon_threads = True

    def __init__(self, text: str) -> None:
        """Serve `text` on a free port."""
        self.text, self.asked, self.seconds = text, 0, 0.0
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/metrics"


class Handler(BaseHTTPRequestHandler):
    """Answers with the page, to a question in either form."""

    server: Page

    def do_GET(self) -> None:
        """Count, wait, answer."""
        self.server.asked += 1
        time.sleep(self.server.seconds)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.text.encode())

    do_POST = do_GET

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def served(text: str) -> AbstractContextManager[Page]:
    """A page on a free port until the block ends."""
    return serving(Page(text))


def _predictor(revision: str, label: int) -> str:
    return f'intent_predictions_total{{label="x",revision="{revision}"}} {label}\n'


def test_gateway_and_predictors_are_one_reading() -> None:
    with served(GATEWAY) as gateway, served(_predictor("r-1", 3)) as predictor:
        pages = Pages((gateway.url,), predictors=(predictor.url,))
        reading = Scrape("default", lambda _: pages).read(["r-1"])
    assert reading == {
        "r-1": {gateway.url: {"requests": 5}, predictor.url: {"label:x": 3}}
    }


def test_several_gateways_add_up_and_one_that_is_away_is_not_silence() -> None:
    with served(GATEWAY) as one, served(GATEWAY) as other:
        pages = Pages((one.url, other.url))
        reading = Scrape("default", lambda _: pages).read(["r-1"])
    assert reading == {
        "r-1": {one.url: {"requests": 5}, other.url: {"requests": 5}},
    }
    (port,) = free_ports(1)
    with served(GATEWAY) as one:
        partly = Pages((one.url, f"http://127.0.0.1:{port}/metrics"))
        assert Scrape("default", lambda _: partly).read(["r-1"]) is not None


def test_two_hundred_pages_are_read_at_once() -> None:
    with ExitStack() as stack:
        found = [
            stack.enter_context(served(_predictor(f"r-{i % 2}", i))) for i in range(200)
        ]
        pages = Pages(predictors=tuple(page.url for page in found))
        reading = Scrape("default", lambda _: pages).read(["r-0", "r-1"])
        assert reading is not None
        assert sum(map(len, reading.values())) == 200
        assert [page.asked for page in found] == [1] * 200


def test_a_page_that_hangs_is_not_asked_again_before_it_has_answered() -> None:
    with served(GATEWAY) as gateway, served(_predictor("r-1", 3)) as slow:
        pages = Pages((gateway.url,), predictors=(slow.url,))
        scrape = Scrape("default", lambda _: pages, patience_s=0.2)
        slow.seconds = 1.0
        for _ in range(3):
            assert scrape.read(["r-1"]) == {"r-1": {gateway.url: {"requests": 5}}}
        assert slow.asked == 1
        time.sleep(0.8)
        reading = scrape.read(["r-1"])
    assert reading is not None
    assert slow.url in reading["r-1"]


def test_no_gateway_is_silence_and_a_missing_pod_is_not() -> None:
    (port,) = free_ports(1)
    gone = f"http://127.0.0.1:{port}/metrics"
    with served(GATEWAY) as gateway:
        lost = Pages((gone,))
        assert Scrape("default", lambda _: lost).read(["r-1"]) is None
        partly = Pages((gateway.url,), predictors=(gone,))
        assert Scrape("default", lambda _: partly).read(["r-1"]) is not None
    assert Scrape("default", lambda _: None).read(["r-1"]) is None
    assert Scrape("default", lambda _: Pages()).read(["r-1"]) is None
