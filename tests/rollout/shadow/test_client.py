"""Requests asked again as users asked them, of a real predictor."""

import itertools
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import requests
import urllib3
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from scripts.rollout.shadow import requests as messages
from scripts.rollout.shadow import wire
from scripts.rollout.shadow.client import Client
from scripts.rollout.shadow.requests import Lent
from tests.support.predictors import Predictor, predictor

TOKEN = {"x-recording-token": "secret"}
FORMS = {
    "predict": ["plain"],
    "v1": ["plain", "event"],
    "v2": ["plain", "binary"],
    "grpc": ["plain", "binary"],
}
WAYS = [(protocol, form) for protocol, forms in FORMS.items() for form in forms]


@pytest.fixture(scope="module")
def lender(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Predictor]:
    folder = tmp_path_factory.mktemp("lender")
    with predictor(folder, env={"RECORDING_TOKEN": "secret"}) as server:
        yield server


@pytest.fixture
def client() -> Iterator[Client]:
    with urllib3.PoolManager(retries=False) as http, closing(_Unmarked(http)) as made:
        yield made


class _Unmarked(Client):
    """Asks as a user would, so that what it asked is lent again."""

    def __init__(self, http: urllib3.PoolManager) -> None:
        super().__init__(http, "")
        self.mark = "x-of-a-user"


def _lend(server: Predictor) -> list[dict[str, Any]]:
    body = {"share": 1.0, "as": "requests"}
    answer = requests.post(
        f"{server.url}/shadow/texts", json=body, headers=TOKEN, timeout=10
    )
    found: list[dict[str, Any]] = answer.json()["requests"]
    return found


@pytest.mark.parametrize(("protocol", "form"), WAYS)
def test_what_is_asked_again_comes_as_it_came(
    lender: Predictor, client: Client, protocol: str, form: str
) -> None:
    """A request that is lent and asked is lent again as the same request."""
    _lend(lender)
    texts = ("hello", "thank you so much"[: None if protocol != "predict" else 0])
    asked = Lent("", tuple(filter(None, texts)), protocol, form, "intent")
    port = int(lender.grpc.rpartition(":")[2])
    outcome = client.ask(lender.url, asked, port)
    assert len(outcome.labels) == len(outcome.confidences) == len(asked.texts)
    assert outcome.labels[0] == "greeting"
    assert all(0 < each <= 1 for each in outcome.confidences)
    (again,) = _lend(lender)
    assert (again["protocol"], again["form"]) == (protocol, form)
    assert tuple(again["texts"]) == asked.texts


def test_every_protocol_gets_the_same_answers(
    lender: Predictor, client: Client
) -> None:
    port = int(lender.grpc.rpartition(":")[2])
    found = [
        client.ask(lender.url, Lent("", ("hello",), *way, "intent"), port)
        for way in WAYS
    ]
    assert {each.labels for each in found} == {("greeting",)}
    assert {round(each.confidences[0], 5) for each in found} == {
        round(found[0].confidences[0], 5)
    }


@pytest.mark.parametrize(("protocol", "form"), WAYS[1:])  # the first names no model
def test_a_model_that_is_not_there_is_a_failure_and_no_silence(
    lender: Predictor, client: Client, protocol: str, form: str
) -> None:
    port = int(lender.grpc.rpartition(":")[2])
    found = client.ask(lender.url, Lent("", ("hello",), protocol, form, "gone"), port)
    assert (found.labels, found.is_silent) == ((), False)


def test_nobody_at_the_door_is_silence(client: Client) -> None:
    for port in (None, 1):
        asked = Lent("", ("hello",), "grpc", "plain", "intent")
        assert client.ask("http://127.0.0.1:1", asked, port).is_silent


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"outputs": [{}]}', "null"])
@pytest.mark.parametrize("protocol", ["predict", "v1", "v2"])
def test_an_answer_of_another_form_is_no_answer(protocol: str, body: str) -> None:
    with pytest.raises((ValueError, LookupError, TypeError)):
        messages.answers(Lent("", ("hello",), protocol), body.encode())


def test_a_response_cut_short_anywhere_is_no_answer() -> None:
    """Whatever arrives, an answer with every text or an error that is expected."""
    texts, numbers = {"bytes_contents": [b"hello"]}, {"fp32_contents": [0.5]}
    outputs = [
        {"name": "label", "datatype": "BYTES", "shape": [1], "contents": texts},
        {"name": "confidence", "datatype": "FP32", "shape": [1], "contents": numbers},
    ]
    whole = pb.ModelInferResponse(model_name="m", outputs=outputs).SerializeToString()
    assert wire.answers(whole) == (("hello", 0.5),)
    for end in range(len(whole)):
        try:
            assert wire.answers(whole[:end]) == (("hello", 0.5),)
        except (ValueError, LookupError, TypeError):
            continue


def test_ids_and_credentials_are_not_sent_again() -> None:
    for protocol, form in itertools.product(("predict", "v1", "v2"), ("plain",)):
        message = messages.message(Lent("secret-id", ("hello",), protocol, form, "m"))
        assert "secret-id" not in f"{message.path}{dict(message.headers)}"
        assert "secret-id" not in json.dumps(message.body.decode())
