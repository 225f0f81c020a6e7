"""A Prometheus whose answers are no counters, or twice the same: no evidence of it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from scripts.rollout.errors import Unreachable
from scripts.rollout.metrics.counters import delta
from scripts.rollout.metrics.port import Scraped, merge
from scripts.rollout.metrics.prometheus import promql
from scripts.rollout.metrics.prometheus.server import Prometheus
from scripts.rollout.policy.metric import PromQL
from scripts.rollout.policy.prometheus import PrometheusServer
from scripts.rollout.state.observation import Row
from tests.support.worlds import policy

ARMS = ("r-2", "r-1")
BAD, TOTAL = "bad of {revision}", "total of {revision}"
OWN = policy(
    source="{prometheus: 'http://127.0.0.1'}",
    metrics="[{name: errors, budget: 1%}, {name: own, budget: 1%, promql: "
    f"{{bad: '{BAD}', total: '{TOTAL}'}}}}]",
)
Rows = list[tuple[Mapping[str, str], str]]


@dataclass
class Answers:
    """What a server says to a query; nothing to any other."""

    url: str
    rows: dict[str, Rows] = field(default_factory=dict)
    whole: Any = None

    def answer(self, request: Request) -> Response:
        """An instant vector, or whatever `whole` is."""
        if self.whole is not None:
            return Response(self.whole)
        rows = self.rows.get(request.form["query"], [])
        result = [{"metric": labels, "value": [1.0, v]} for labels, v in rows]
        data = {"resultType": "vector", "result": result}
        return Response(json.dumps({"status": "success", "data": data}))


@pytest.fixture
def server(httpserver: HTTPServer) -> Answers:
    """One whose presets know both arms."""
    answers = Answers(httpserver.url_for("").rstrip("/"))
    httpserver.expect_request("/api/v1/query").respond_with_handler(answers.answer)
    preset: Rows = [
        ({**_labels(arm), "code": "OK", "protocol": "grpc"}, "5") for arm in ARMS
    ]
    answers.rows[_preset()] = preset
    return answers


def _labels(arm: str) -> dict[str, str]:
    return {"__name__": "intent_requests_total", "revision": arm, "pod": f"{arm}-a"}


def _preset() -> str:
    (query,) = promql.queries("default", "grpc", ARMS)
    return query


def _prometheus(server: Answers) -> Prometheus:
    custom = {"own": PromQL(bad=BAD, total=TOTAL)}
    return Prometheus(PrometheusServer(url=server.url), "default", "grpc", custom)


def _read(server: Answers) -> Scraped:
    return _prometheus(server).read(ARMS)


def _gains(server: Answers, *looks: Callable[[], None]) -> list[Row]:
    """What each look after the first is worth to the metric `own`."""
    before: Any = {}
    found = []
    for number, prepare in enumerate(looks):
        prepare()
        now = _read(server).reading
        found.append(delta(OWN, before, now, since=float(number), arms=ARMS))
        before = merge(before, now)
    return [each.metrics["own"] for each in found]


def _is(server: Answers, bad: str | None, total: str | None) -> Callable[[], None]:
    """The canary's two sums from now on, without labels as sum() gives them."""

    def prepare() -> None:
        for query, value in ((BAD, bad), (TOTAL, total)):
            rows: Rows = [] if value is None else [({}, value)]
            server.rows[query.replace("{revision}", "r-2")] = rows

    return prepare


def test_a_sum_that_grows_is_counted(server: Answers) -> None:
    looks = [_is(server, "5", "100"), _is(server, "6", "130")]
    assert _gains(server, *looks) == [(0, 0, 0, 0), (1, 30, 0, 0)]


def test_a_sum_that_lost_a_pod_says_nothing(server: Answers) -> None:
    looks = [_is(server, "50", "1000"), _is(server, "26", "510")]
    looks += [_is(server, "27", "530")]
    assert _gains(server, *looks)[1:] == [(0, 0, 0, 0), (1, 20, 0, 0)]


@pytest.mark.parametrize(
    "gap", [(None, None), (None, "1010"), ("50", None), ("NaN", "1010"), ("5", "+Inf")]
)
def test_after_a_gap_a_lifetime_total_is_no_increase(
    gap: tuple[str | None, str | None], server: Answers
) -> None:
    looks = [_is(server, "50", "1000"), _is(server, *gap), _is(server, "50", "1020")]
    looks.append(_is(server, "51", "1030"))
    gained = _gains(server, *looks)
    assert sum(row[0] for row in gained) <= 1
    assert sum(row[1] for row in gained) <= 30


def test_without_a_bad_one_there_is_no_series_and_all_are_good(server: Answers) -> None:
    looks = [_is(server, None, "100"), _is(server, None, "130")]
    assert _gains(server, *looks)[1] == (0, 30, 0, 0)


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf", "-1", "", "many"])
def test_what_is_no_number_is_no_data_and_named_with_its_query(
    value: str, server: Answers
) -> None:
    _is(server, value, "100")()
    found = _read(server)
    (doubt,) = found.doubts
    assert doubt.startswith("own: no data: ")
    assert doubt.endswith(f"from {BAD}")
    assert not any(name.startswith("promql") for name in found.reading["r-2"])


def test_bad_of_other_pods_than_total_is_no_data(server: Answers) -> None:
    server.rows["bad of r-2"] = [({"pod": "a"}, "1")]
    server.rows["total of r-2"] = [({}, "10")]
    assert _read(server).doubts == (
        "own: no data: bad has pods that total does not have",
    )


@pytest.mark.parametrize("label", ["job", "prometheus_replica"])
def test_a_pod_that_is_scraped_twice_counts_once_and_that_is_said(
    label: str, server: Answers
) -> None:
    once = server.rows[_preset()]
    server.rows[_preset()] = [
        ({**labels, label: each}, value) for labels, value in once for each in "ab"
    ]
    server.rows["total of r-2"] = [({"pod": "p", label: each}, "7") for each in "ab"]
    found = _read(server)
    requests = [s["requests"] for s in found.reading["r-2"].values() if "requests" in s]
    totals = [s["total:own"] for s in found.reading["r-2"].values() if "total:own" in s]
    assert (requests, totals) == ([5], [7])
    assert any(f"2 times a pod, by {label}" in each for each in found.doubts)


def test_where_one_of_two_scrapers_goes_the_other_is_no_restart(
    server: Answers,
) -> None:
    once = server.rows[_preset()]

    def jobs(**values: str) -> Callable[[], None]:
        def prepare() -> None:
            server.rows[_preset()] = [
                ({**labels, "job": job}, value)
                for labels, _ in once
                for job, value in values.items()
            ]

        return prepare

    looks = [jobs(a="105", b="100"), jobs(b="104")]
    before: Any = {}
    for prepare in looks:
        prepare()
        now = _read(server).reading
        gained = delta(OWN, before, now, since=1.0, arms=ARMS).metrics["errors"]
        before = merge(before, now)
    assert gained == (0, 0, 0, 0)


def test_series_that_no_pod_can_be_told_of_are_no_data(server: Answers) -> None:
    nobody = {k: v for k, v in _labels("r-2").items() if k != "pod"}
    server.rows[_preset()] += [({**nobody, "code": "OK", "protocol": "grpc"}, "9")]
    found = _read(server)
    assert [s["requests"] for s in found.reading["r-2"].values()] == [5]
    assert found.doubts == (
        "no data: predictor series without a label pod or instance",
    )


TEXTS = st.text(max_size=8) | st.sampled_from(
    ["NaN", "1", "le", "code", "__name__", "intent_requests_total", "r-1", "pod"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
    ),
    max_leaves=8,
)
SERIES = st.fixed_dictionaries(
    {"metric": st.dictionaries(TEXTS, TEXTS) | JSON},
    optional={"value": st.tuples(st.floats(), TEXTS) | JSON, "values": JSON},
)
DATA = st.fixed_dictionaries(
    {
        "resultType": st.sampled_from(["vector", "scalar", "matrix"]) | JSON,
        "result": st.lists(SERIES, max_size=3) | JSON,
    }
)
ANSWERS = JSON | st.fixed_dictionaries(
    {"status": st.sampled_from(["success", "error"]) | JSON, "data": DATA | JSON}
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(ANSWERS.map(json.dumps) | st.text())
@example("[" * 100_000)
@example('{"status": "success", "data": ' + '{"a":' * 50_000)
def test_a_promoter_never_dies_of_an_answer(server: Answers, answer: str) -> None:
    server.whole = answer
    try:
        found = _read(server)
    except Unreachable:
        return
    delta(OWN, {}, found.reading, since=0.0, arms=ARMS)
