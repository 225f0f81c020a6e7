"""Pages over real HTTP: many at once, one request a page, silence where none does."""

import pytest
from pytest_httpserver import HTTPServer

from scripts.local.processes import free_ports
from scripts.rollout.errors import Unreachable
from scripts.rollout.metrics.port import READ_AT, Pages, Reading
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
    assert _read(pages) == {
        "r-1": {gateway.url: {"requests": 5}, predictor.url: {"label:x": 3}}
    }


def test_several_gateways_add_up_and_one_that_is_away_is_not_silence(
    httpserver: HTTPServer,
) -> None:
    one, other = (Page(httpserver, name, GATEWAY) for name in ("one", "other"))
    pages = Pages((one.url, other.url))
    assert _read(pages) == {
        "r-1": {one.url: {"requests": 5}, other.url: {"requests": 5}},
    }
    partly = Pages((one.url, _nobody()))
    assert "r-1" in _read(partly)


def test_two_hundred_pages_are_read_at_once(httpserver: HTTPServer) -> None:
    found = [Page(httpserver, f"{i}", _predictor(f"r-{i % 2}", i)) for i in range(200)]
    pages = Pages(predictors=tuple(page.url for page in found))
    scraped = Scrape("default", lambda _: pages, patience_s=60).read(["r-0", "r-1"])
    assert sum(map(len, scraped.reading.values())) == 200
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
        assert _counters(scrape) == {"r-1": {gateway.url: {"requests": 5}}}
    assert slow.asked == 1
    found = scrape.read(["r-1"])
    assert not found.is_whole
    assert found.unread == {slow.url}
    slow.answers.set()
    until(lambda: slow.url in scrape.read(["r-1"]).reading["r-1"])
    found = scrape.read(["r-1"])
    assert found.is_whole
    assert found.unread == set()


def test_no_gateway_is_silence_and_a_missing_pod_is_not(httpserver: HTTPServer) -> None:
    gone, gateway = _nobody(), Page(httpserver, "gateway", GATEWAY)
    lost = Pages((gone,))
    with pytest.raises(Unreachable, match=f"{gone}: .*Connection refused"):
        _read(lost)
    partly = Pages((gateway.url,), predictors=(gone,))
    assert "r-1" in _read(partly)
    with pytest.raises(Unreachable, match="where requests are counted is not known"):
        _read(None)
    with pytest.raises(Unreachable, match="no pod that counts requests"):
        _read(Pages())


def test_a_page_that_refuses_says_its_status(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/metrics").respond_with_data(status=503)
    with pytest.raises(Unreachable, match=r"/metrics: HTTP 503$"):
        _read(Pages((httpserver.url_for("/metrics"),)))
    with pytest.raises(Unreachable, match=r"/metrics: HTTP 503; ask another$"):
        _read(Pages((httpserver.url_for("/metrics"),), unread="ask another"))


@pytest.mark.parametrize("text", ["NaN", "-1", "x", "+Inf"])
def test_a_page_with_what_is_no_counter_is_no_data_and_named(
    text: str, httpserver: HTTPServer
) -> None:
    gateway = Page(httpserver, "gateway", GATEWAY)
    odd = Page(httpserver, "odd", _predictor("r-1", 3).replace(" 3", f" {text}"))
    pages = Pages((gateway.url,), predictors=(odd.url,))
    found = Scrape("default", lambda _: pages).read(["r-1"])
    assert _read(pages) == {"r-1": {gateway.url: {"requests": 5}}}
    (doubt,) = found.doubts
    assert odd.url in doubt


def _read(pages: Pages | None) -> Reading:
    return _counters(Scrape("default", lambda _: pages))


def _counters(scrape: Scrape) -> Reading:
    """Without the times at which they were read."""
    return {
        revision: {
            url: {name: value for name, value in sample.items() if name != READ_AT}
            for url, sample in samples.items()
        }
        for revision, samples in scrape.read(["r-1"]).reading.items()
    }


def _nobody() -> str:
    """A page that nobody serves."""
    (port,) = free_ports(1)
    return f"http://127.0.0.1:{port}/metrics"
