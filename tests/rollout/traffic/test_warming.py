"""A round of warm-up: which pods and protocols it reaches, and what it counts."""

import itertools
import time
from collections.abc import Callable

from scripts.rollout.decision.explaining import reasons
from scripts.rollout.state.actions import Warmed, WarmUp
from scripts.rollout.state.warming import Warming
from scripts.rollout.traffic import warming
from scripts.rollout.traffic.warming import Door
from tests.support.api_server import Api


def _codes(*codes: str) -> Callable[[], str]:
    found = itertools.cycle(codes)
    return lambda: next(found)


def _warm(*doors: Door, requests: int = 4, slow_s: float = 0.0) -> Warmed:
    return warming.warm_up(doors, WarmUp(requests, slow_s))


def test_each_pod_gets_its_requests_by_each_protocol_it_serves() -> None:
    found = _warm(
        Door("a", "v1", _codes("404")),
        Door("a", "v2", _codes("200")),
        Door("b", "v1", _codes("404")),
        Door("b", "v2", _codes("400")),
    )
    assert (found.sent, found.failed, found.pods) == (8, 0, 2)
    assert found.protocols == ("v2",)


def test_server_errors_and_no_answer_are_failures_a_clients_fault_is_none() -> None:
    found = _warm(Door("a", "v2", _codes("200", "500", "none", "422")))
    assert (found.sent, found.failed) == (4, 2)
    grpc = _warm(Door("a", "grpc", _codes("OK", "UNAVAILABLE")))
    assert (grpc.sent, grpc.failed) == (4, 2)


def test_an_answer_is_slow_over_the_slo_and_never_without_one() -> None:
    def late() -> str:
        time.sleep(0.02)  # the duration is what is measured
        return "200"

    assert _warm(Door("a", "v2", late), slow_s=0.01).slow == 4
    found = _warm(Door("a", "v2", late))
    assert found.slow == 0
    assert found.p50_ms >= 20


def test_where_no_request_is_taken_the_answers_are_kept_with_what_was_asked() -> None:
    found = _warm(
        Door("a", "v1", _codes("404"), "/v1/models/m:predict"),
        Door("a", "v2", _codes("422"), "/v2/models/m/infer"),
        Door("b", "v1", _codes("404"), "/v1/models/m:predict"),
    )
    assert found.refused == ("404 at /v1/models/m:predict", "422 at /v2/models/m/infer")
    told = reasons.warmed(Warming(0.0, 0.0).add(found), 1.0, has_settled=True)
    assert told == (
        "warm-up requests were all refused (404 at /v1/models/m:predict, 422 at "
        "/v2/models/m/infer): nothing is warm"
    )
    half = _warm(Door("a", "v1", _codes("404")), Door("a", "v2", _codes("200")))
    assert half.refused == ()


def test_nothing_is_sent_without_a_pod() -> None:
    assert _warm().sent == 0


def test_the_policys_own_request_is_the_only_one_that_is_sent() -> None:
    api, sent = Api(), list[tuple[str, object]]()

    def answer(url: str, body: object, *_: object) -> str:
        sent.append((url, body))
        return "200"

    api.answer = answer  # type: ignore[method-assign,assignment]
    asked = WarmUp(2, path="/echo", body='{"text": "hello"}')
    doors = warming.http_doors(api, ["http://pod"], "intent", asked)
    assert warming.warm_up(doors, asked).protocols == ("/echo",)
    assert sent == [("http://pod/echo", '{"text": "hello"}')] * 2
