"""Requests that are lent: to whoever has the token, once, bounded, for a while."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import requests
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub
from prometheus_client import CollectorRegistry

from predictor import recorder
from predictor.model import IntentModel
from predictor.recorder import Lent, Origin, Recorder
from tests.support.predictors import MODELS, Predictor, predictor

TOKEN = {"x-recording-token": "secret"}
MARK = {"x-intent-traffic": "shadow"}
TENSOR = {"name": "text", "datatype": "BYTES"}


@pytest.fixture(scope="module")
def lender(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Predictor]:
    folder = tmp_path_factory.mktemp("lender")
    with predictor(folder, env={"RECORDING_TOKEN": "secret"}) as server:
        yield server


def _texts(server: Predictor, share: float = 1.0) -> list[list[str]]:
    answer = requests.post(
        f"{server.url}/shadow/texts", json={"share": share}, headers=TOKEN, timeout=10
    )
    assert answer.status_code == 200, answer.text
    found: list[list[str]] = answer.json()["texts"]
    return found


def _ask(server: Predictor, path: str, body: Any, **headers: str) -> None:
    answer = requests.post(server.url + path, json=body, headers=headers, timeout=10)
    assert answer.status_code == 200, answer.text


def _requests(server: Predictor) -> dict[str, Any]:
    body = {"share": 1.0, "as": "requests"}
    answer = requests.post(
        f"{server.url}/shadow/texts", json=body, headers=TOKEN, timeout=10
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def _ask_every_way(server: Predictor) -> None:
    """One request by each protocol and form, with a credential and an id each."""
    named = {"x-request-id": "a", "authorization": "Bearer a-user's-own"}
    _ask(server, "/v1/models/intent:predict", {"instances": ["one", "two"]}, **named)
    tensor = {**TENSOR, "shape": [1], "data": ["three"]}
    _ask(server, "/v2/models/intent/infer", {"id": "b", "inputs": [tensor]})
    _ask(server, "/predict", {"text": "four"}, **{"x-request-id": "c"})
    event = {"ce-specversion": "1.0", "ce-id": "7", "ce-source": "s", "ce-type": "t"}
    event["x-request-id"] = "d"
    _ask(server, "/v1/models/intent:predict", {"instances": ["five"]}, **event)
    content = b'{"id": "e", "inputs": [{"name": "text", "datatype": "BYTES", '
    content += b'"shape": [1], "parameters": {"binary_data_size": 7}}]}'
    length = {"inference-header-content-length": str(len(content))}
    answer = requests.post(
        f"{server.url}/v2/models/intent/infer",
        data=content + b"\x03\x00\x00\x00six",
        headers=length,
        timeout=10,
    )
    assert answer.status_code == 200, answer.text
    _ask(server, "/predict", {"text": "ours"}, **MARK)
    _ask_grpc(server, b"seven")


def _ask_grpc(server: Predictor, text: bytes) -> None:
    tensor = {"name": "text", "datatype": "BYTES", "shape": [1]}
    raw = [len(text).to_bytes(4, "little") + text]
    message = pb.ModelInferRequest(
        model_name="intent", id="f", inputs=[tensor], raw_input_contents=raw
    )
    with grpc.insecure_channel(server.grpc) as channel:
        GRPCInferenceServiceStub(channel).ModelInfer(message, timeout=10)


def test_each_request_is_lent_once_as_it_was_asked(lender: Predictor) -> None:
    _requests(lender)
    _ask_every_way(lender)
    found = _requests(lender)
    assert [tuple(each.values()) for each in found.pop("requests")] == [
        ("a", "v1", "plain", ["one", "two"]),
        ("b", "v2", "plain", ["three"]),
        ("c", "predict", "plain", ["four"]),
        ("d", "v1", "event", ["five"]),
        ("e", "v2", "binary", ["six"]),
        ("f", "grpc", "binary", ["seven"]),
    ]
    port = int(lender.grpc.rpartition(":")[2])
    assert found == {"model": "intent", "grpcPort": port}
    assert _requests(lender)["requests"] == []


def test_no_headers_value_is_lent(lender: Predictor) -> None:
    _requests(lender)
    _ask_every_way(lender)
    assert "a-user's-own" not in str(_requests(lender))


def test_older_promoters_are_lent_texts_with_their_ids(lender: Predictor) -> None:
    _texts(lender)
    _ask_every_way(lender)
    assert _texts(lender)[:4] == [
        ["a/0", "one"],
        ["a/1", "two"],
        ["b", "three"],
        ["c", "four"],
    ]
    assert _texts(lender, 0.0) == []
    _ask(lender, "/predict", {"text": "five"})
    assert _texts(lender) == []


def test_a_request_on_which_the_model_fails_is_lent_as_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else the arm that lends would choose the pairs by its own answers."""
    model = IntentModel(
        "intent", MODELS / "v1", revision="r", registry=CollectorRegistry()
    )
    model.load()
    model.recorder = Recorder()
    model.recorder.take(1.0)
    monkeypatch.setattr(type(model.scorer), "rows", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(model.predict({"instances": ["poison"]}, {"x-request-id": "a"}))
    lent = [Lent(Origin("a", "v1"), ("poison",))]
    assert model.recorder.take(1.0) == lent


@pytest.mark.parametrize("headers", [{}, {"x-recording-token": "guess"}])
def test_a_stranger_gets_none(lender: Predictor, headers: dict[str, str]) -> None:
    url = f"{lender.url}/shadow/texts"
    answer = requests.post(url, json={"share": 1}, headers=headers, timeout=10)
    expected = {"error": "x-recording-token: expected the recording token"}
    assert (answer.status_code, answer.json()) == (403, expected)


@pytest.mark.parametrize("body", ['{"share": 2}', '{"share": "1"}', "[]", "{}"])
def test_a_wrong_share_is_said(lender: Predictor, body: str) -> None:
    url = f"{lender.url}/shadow/texts"
    answer = requests.post(url, data=body, headers=TOKEN, timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (
        400,
        "share: expected a number from 0 to 1",
    )


def test_without_a_token_there_is_no_such_path(server: Predictor) -> None:
    url = f"{server.url}/shadow/texts"
    answer = requests.post(url, json={"share": 1}, headers=TOKEN, timeout=10)
    assert answer.status_code == 404


def test_the_promoters_own_requests_are_not_counted(lender: Predictor) -> None:
    def counted() -> list[str]:
        page = requests.get(f"{lender.url}/metrics", timeout=10).text.splitlines()
        names = ("intent_requests_total", "intent_predictions_total", "intent_conf")
        return [line for line in page if line.startswith(names)]

    before = counted()
    _ask(lender, "/predict", {"text": "hello"}, **MARK)
    assert counted() == before
    _ask(lender, "/predict", {"text": "hello"})
    assert counted() != before


def test_texts_are_in_no_log(lender: Predictor) -> None:
    _texts(lender)
    _ask(lender, "/predict", {"text": "a secret sentence"})
    _texts(lender)
    assert "a secret sentence" not in Path(lender.log).read_text()


def _from(request: str) -> Origin:
    return Origin(request, "predict")


def test_the_newest_are_kept_and_no_more_than_the_limits() -> None:
    kept = Recorder()
    kept.take(1.0)
    for number in range(1200):
        kept.offer(_from(f"r{number}"), ["x"])
    found = kept.take(1.0)
    newest = Lent(_from("r1199"), ("x",))
    assert (len(found), found[-1]) == (recorder.MOST_REQUESTS, newest)
    for number in range(100):
        kept.offer(_from(f"r{number}"), ["x" * 8000, "y" * 8000])
    found = kept.take(1.0)
    assert len(found) == recorder.MOST_CHARACTERS // (16_000 + 2 * (64 + 3))
    kept.offer(_from("too long for any"), ["x" * 8000] * 126)
    kept.offer(_from("r"), ["x"])
    assert kept.take(1.0) == [Lent(_from("r"), ("x",))]


def test_unasked_for_a_minute_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    kept = Recorder()
    kept.offer(_from("early"), ["x"])
    kept.take(1.0)
    kept.offer(_from("in time"), ["x"])
    clock[0] = 61.0
    kept.offer(_from("late"), ["x"])
    assert kept.take(1.0) == []


def test_a_share_is_a_share() -> None:
    kept = Recorder()
    kept.take(0.25)
    for number in range(1000):
        kept.offer(_from(f"r{number}"), ["x"])
    assert 180 < len(kept.take(0.0)) < 320
