"""Pages and answers of any shape: never a traceback, nothing that is no count."""

import json
import math
import time
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scripts.rollout.errors import RemoteError
from scripts.rollout.metrics import scrape
from scripts.rollout.metrics.port import MOST, READ_AT, Pages, Reading, Scraped
from scripts.rollout.metrics.prometheus.server import Prometheus
from scripts.rollout.metrics.scrape import Scrape
from scripts.rollout.policy.metric import PromQL
from scripts.rollout.policy.prometheus import PrometheusServer
from tests.support.attacker import answering

REQUESTS = 'intent_requests_total{revision="a",code="200",protocol="v1"} 5\n'
BUCKET = 'intent_request_duration_seconds_bucket{revision="a",protocol="v1",le="1"} 5\n'
GATEWAY = 'envoy_cluster_upstream_rq_completed{envoy_cluster_name="default/a"} 5\n'
KINDS = ("gateways", "queues", "predictors")


def _read(body: bytes, kind: str = "predictors") -> Scraped | None:
    with answering(body) as page:
        pages = _pages(kind, page.url)
        try:
            return Scrape("default", lambda _: pages, patience_s=60).read(["a"])
        except RemoteError:
            return None


def _pages(kind: str, url: str) -> Pages:
    return replace(Pages(with_http=True), **{kind: (url,)})  # type: ignore[arg-type]


def _are_counts(reading: Reading) -> bool:
    samples = [each for arm in reading.values() for each in arm.values()]
    values = [v for sample in samples for k, v in sample.items() if k != READ_AT]
    return all(0 <= value < math.inf for value in values)


@pytest.mark.parametrize(
    "odd",
    [
        "intent_requests_total abc\n",
        REQUESTS.replace(',protocol="v1"', ""),
        REQUESTS.replace(" 5", " NaN"),
        REQUESTS.replace(" 5", " 1e308"),
        REQUESTS.replace(" 5", " -1"),
        BUCKET.replace('"1"', '"NaN"'),
        BUCKET.replace('"1"', '"x"'),
        REQUESTS.replace("200", "2" * 5000),
        "".join(
            f'intent_predictions_total{{label="{n}",revision="a"}} 1\n'
            for n in range(5000)
        ),
    ],
)
def test_a_page_with_one_odd_line_is_no_data_and_says_so(odd: str) -> None:
    with answering((REQUESTS + odd).encode()) as one, answering(GATEWAY.encode()) as it:
        pages = Pages((it.url,), predictors=(one.url,), with_http=True)
        found = Scrape("default", lambda _: pages, patience_s=60).read(["a"])
    assert list(found.reading["a"]) == [it.url]
    (doubt,) = found.doubts
    assert one.url in doubt
    assert len(doubt) < 300


def test_a_byte_that_is_not_utf_8_ends_nobody() -> None:
    found = _read(REQUESTS.encode() + b"# \xff\xfe\n")
    assert found is not None
    assert _are_counts(found.reading)


@pytest.mark.parametrize("kind", KINDS)
def test_a_hundred_thousand_series_are_read_or_refused(kind: str) -> None:
    lines = [
        REQUESTS.replace("200", f"{n}") + GATEWAY.replace("default/a", f"other/{n}")
        for n in range(100_000)
    ]
    began = time.monotonic()
    found = _read("".join(lines).encode(), kind)
    assert time.monotonic() - began < 60
    assert found is None or _are_counts(found.reading)


@pytest.mark.parametrize("filling", [b'"', b"{", b"}", b"a", b"\\", b" ", b"\n#"])
def test_a_page_of_one_character_is_read_in_no_time(filling: bytes) -> None:
    """A pattern that looks back would take minutes for each of these."""
    page = REQUESTS.encode() + b"intent_requests_total{" + filling * 400_000
    began = time.monotonic()
    _read(page)
    assert time.monotonic() - began < 60


PIECES = [REQUESTS, BUCKET, GATEWAY, "{", "}", '"', "\\", " ", "\n", "NaN", "le=", "\0"]
TORN = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=12).map("".join)


@pytest.fixture(scope="module")
def reading() -> Scrape:
    return Scrape("default", lambda _: None)


@given(text=TORN, kind=st.sampled_from(KINDS))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@example(text=REQUESTS + "\n" + BUCKET, kind="predictors")
def test_whatever_a_page_says_it_is_counts_or_a_reason(
    reading: Scrape, text: str, kind: str
) -> None:
    pages = _pages(kind, "http://it")
    try:
        found = reading._reading(pages, "http://it", text)
    except (KeyError, ValueError):
        return
    assert _are_counts(found)


def _answer(result: object, kind: str = "vector") -> bytes:
    data = {"resultType": kind, "result": result}
    return json.dumps({"status": "success", "data": data}).encode()


def _row(value: object, **labels: str) -> dict[str, object]:
    named = {"__name__": "envoy_cluster_upstream_rq_completed", "pod": "p"}
    return {
        "metric": named | {"envoy_cluster_name": "default/a"} | labels,
        "value": value,
    }


ANSWERS = {
    "NaN": _answer([_row([1, "NaN"])]),
    "infinite": _answer([_row([1, "+Inf"])]),
    "huge": _answer([_row([1, "1e400"])]),
    "beyond what counts": _answer([_row([1, "1e300"])]),
    "negative": _answer([_row([1, "-5"])]),
    "text": _answer([_row([1, "x"])]),
    "a number": _answer([_row([1, 5])]),
    "no value": _answer([_row([])]),
    "a matrix": _answer([], "matrix"),
    "a shape without a name": _answer({}, "x" * 100_000),
    "brackets": b'{"status":"success","data":' + b"[" * 100_000,
    "all brackets": b"[" * 100_000,
    "not UTF-8": b'{"status":"\xff"}',
    "null": b"null",
    "nothing": b"",
    "an error without end": json.dumps(
        {"status": "error", "error": "x" * 10**6}
    ).encode(),
    "a time without end": _answer([_row([1e300, "5"])]),
    "100,000 series": _answer([_row([1, "5"], pod=f"p{n}") for n in range(20_000)]),
}


@pytest.mark.parametrize("said", ANSWERS)
def test_whatever_a_prometheus_says_it_is_counts_or_a_reason(said: str) -> None:
    own = {"mine": PromQL(bad="bad{revision}", total="total{revision}")}
    with answering(ANSWERS[said]) as server:
        asked = Prometheus(PrometheusServer(url=server.url), "default", "gateway", own)
        try:
            found = asked.read(["a", "b"])
        except RemoteError as error:
            assert len(str(error)) < 600
        else:
            assert _are_counts(found.reading)
            assert all(len(doubt) < 600 for doubt in found.doubts)
        try:
            past = asked.history("a", 60, 1)
        except RemoteError:
            return
        assert all(_are_counts(reading) for _, reading in past)


def test_a_limit_is_what_a_float_counts() -> None:
    assert MOST + 1 == MOST
    assert scrape.MOST_OF_POD < scrape.MOST_OF_GATEWAY
