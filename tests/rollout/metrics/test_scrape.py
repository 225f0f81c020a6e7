"""Pages over real HTTP: many at once, one request a page, silence where none does."""

from pytest_httpserver import HTTPServer

from scripts.local.processes import free_ports
from scripts.rollout.metrics.port import Pages
from scripts.rollout.metrics.scrape import Scrape
from tests.support.pages import Page
from tests.support.waiting import until

GATEWAY = 'envoy_cluster_upstream_rq_completed{envoy_cluster_name="default/r-1"} 5\n'


def _predictor(revision: str, label: int) -> str:
    return f'intent_predictions_total{{label="x",revision="{revision}"}} {label}\n'


def test_gateway_and_predictors_are_one_reading(httpserver: HTTPServer) -> None:
    gateway = Page(httpserver, "gateway", GATEWAY)
    predictor = Page(httpserver, "predictor", _predictor("r-1", 3))
    pages = Pages((gateway.url,), predictors=(predictor.url,))
    assert Scrape("default", lambda _: pages).read(["r-1"]) == {
        "r-1": {gateway.url: {"requests": 5}, predictor.url: {"label:x": 3}}
    }


def test_several_gateways_add_up_and_one_that_is_away_is_not_silence(
    httpserver: HTTPServer,
) -> None:
    one, other = (Page(httpserver, name, GATEWAY) for name in ("one", "other"))
    pages = Pages((one.url, other.url))
    assert Scrape("default", lambda _: pages).read(["r-1"]) == {
        "r-1": {one.url: {"requests": 5}, other.url: {"requests": 5}},
    }
    partly = Pages((one.url, _nobody()))
    assert Scrape("default", lambda _: partly).read(["r-1"]) is not None


def test_two_hundred_pages_are_read_at_once(httpserver: HTTPServer) -> None:
    found = [Page(httpserver, f"{i}", _predictor(f"r-{i % 2}", i)) for i in range(200)]
    pages = Pages(predictors=tuple(page.url for page in found))
    reading = Scrape("default", lambda _: pages, patience_s=60).read(["r-0", "r-1"])
    assert reading is not None
    assert sum(map(len, reading.values())) == 200
    assert [page.asked for page in found] == [1] * 200


def test_a_page_that_hangs_is_not_asked_again_before_it_has_answered(
    httpserver: HTTPServer,
) -> None:
    gateway = Page(httpserver, "gateway", GATEWAY)
    slow = Page(httpserver, "slow", _predictor("r-1", 3))
    pages = Pages((gateway.url,), predictors=(slow.url,))
    scrape = Scrape("default", lambda _: pages, patience_s=1.0)
    slow.answers.clear()
    for _ in range(3):
        assert scrape.read(["r-1"]) == {"r-1": {gateway.url: {"requests": 5}}}
    assert slow.asked == 1
    slow.answers.set()
    until(lambda: slow.url in (scrape.read(["r-1"]) or {})["r-1"], 20)


def test_no_gateway_is_silence_and_a_missing_pod_is_not(httpserver: HTTPServer) -> None:
    gone, gateway = _nobody(), Page(httpserver, "gateway", GATEWAY)
    lost = Pages((gone,))
    assert Scrape("default", lambda _: lost).read(["r-1"]) is None
    partly = Pages((gateway.url,), predictors=(gone,))
    assert Scrape("default", lambda _: partly).read(["r-1"]) is not None
    assert Scrape("default", lambda _: None).read(["r-1"]) is None
    assert Scrape("default", lambda _: Pages()).read(["r-1"]) is None


def _nobody() -> str:
    """A page that nobody serves."""
    (port,) = free_ports(1)
    return f"http://127.0.0.1:{port}/metrics"
