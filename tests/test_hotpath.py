"""The hot path and the application, on a real server: the same answers."""

import http.client
import json
import random
import re
import socket
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

import grpc
import pytest
import requests
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub

from tests.support.predictors import Predictor

REQUESTS = 10_000
V1, V2, PLAIN = "/v1/models/intent:predict", "/v2/models/intent/infer", "/predict"
JSON = {"content-type": "application/json"}
ORDINARY = {"content-type": "application/json;charset=utf-8"}
NEW_ID = re.compile(rb'"id":"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f-]{16}"')
ASKED = 'request_predict_seconds_count{model_name="intent"} '


Answer = tuple[int, list[tuple[str, str]], bytes]


class Asker:
    """One connection that lives on, whatever it is answered."""

    def __init__(self, server: Predictor) -> None:
        """Ask `server`."""
        self._connection = http.client.HTTPConnection(urlsplit(server.url).netloc)

    def ask(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Status, headers but the date, and body with any new id taken out."""
        self._connection.request("POST", path, body, headers)
        answer = self._connection.getresponse()
        said = [pair for pair in answer.getheaders() if pair[0] != "date"]
        return answer.status, said, NEW_ID.sub(b'"id":"new"', answer.read())

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module")
def asker(server: Predictor) -> Iterator[Asker]:
    asker = Asker(server)
    yield asker
    asker.close()


def _by_the_sdk(server: Predictor) -> int:
    """How many requests the SDK's data plane has seen."""
    page = requests.get(f"{server.url}/metrics", timeout=5).text
    lines = [line for line in page.splitlines() if line.startswith(ASKED)]
    return int(float(lines[0].removeprefix(ASKED))) if lines else 0


def _text(chance: random.Random) -> object:
    good = ("hello", "where is it?", "so bad \u00e9\u4eac", "\U0001f600 hi", "a" * 300)
    odd = ("", " ", "\n", None, 3, True, ["a"], {"text": "hi"}, {"txt": 1}, "x" * 8193)
    return chance.choice(good) if chance.random() < 0.9 else chance.choice(odd)


def _v1(chance: random.Random) -> object:
    texts = [_text(chance) for _ in range(chance.choice((1, 1, 1, 2, 5, 0)))]
    return chance.choice(({"instances": texts},) * 9 + (texts, {"text": "hi"}, None))


def _v2(chance: random.Random) -> object:
    texts = [_text(chance) for _ in range(chance.choice((1, 1, 1, 2, 5, 0)))]
    count = chance.choice((len(texts),) * 9 + (len(texts) + 1,))
    shape = chance.choice(([count],) * 8 + ([count, 1], [True], [float(count)], "1"))
    data = chance.choice((texts,) * 9 + ([[text] for text in texts], "hello"))
    name, kind = chance.choice((("text", "BYTES"),) * 9 + (("txt", "FP32"),))
    tensor = {"name": name, "datatype": kind, "shape": shape, "data": data}
    more: list[dict[str, object]] = [{}] * 8
    more += [{"id": given} for given in ("7", "\u00e9", "", 7, None)]
    more += [{"other": 1}, {"outputs": []}, {"outputs": [{"name": "label"}]}]
    more += [{"parameters": {"a": 1}}]
    odd: tuple[object, ...] = ([], [tensor, tensor], tensor, [tensor | {"a": 1}])
    inputs = chance.choice(([tensor],) * 20 + odd)
    return chance.choice(({"inputs": inputs} | chance.choice(more),) * 9 + (inputs, {}))


def _plain(chance: random.Random) -> object:
    return chance.choice(({"text": _text(chance)},) * 9 + ({}, [], "hi"))


def _generated() -> Iterator[tuple[str, bytes, dict[str, str]]]:
    chance = random.Random(11)
    makers = ((V1, _v1), (V2, _v2), (PLAIN, _plain))
    for number in range(REQUESTS):
        path, make = makers[number % 3]
        body = json.dumps(make(chance)).encode()
        if chance.random() < 0.05:
            body = body[: chance.randrange(len(body) + 1)] + chance.randbytes(2)
        ids = chance.choice(({}, {}, {"x-request-id": f"r-{number}"}))
        marks = chance.choice(({}, {}, {}, {"x-intent-traffic": "synthetic"}))
        yield path, body, {**ids, **marks}


@pytest.mark.timeout(300)
def test_ten_thousand_requests_are_answered_alike(
    server: Predictor, asker: Asker
) -> None:
    before = _by_the_sdk(server)
    short = [asker.ask(path, body, JSON | more) for path, body, more in _generated()]
    seen, good = _by_the_sdk(server) - before, sum(each[0] == 200 for each in short)
    for (path, body, more), found in zip(_generated(), short, strict=True):
        assert found == asker.ask(path, body, ORDINARY | more), (path, body)
    assert REQUESTS / 3 < good < REQUESTS
    assert seen < REQUESTS - good * 0.7


BODIES = {
    V1: b'{"instances":["hello"]}',
    V2: b'{"inputs":[{"name":"text","datatype":"BYTES","shape":[1],"data":["hello"]}]}',
    PLAIN: b'{"text":"hello"}',
}


@pytest.mark.parametrize("path", BODIES)
def test_a_plain_request_never_meets_the_sdk(
    server: Predictor, asker: Asker, path: str
) -> None:
    before = _by_the_sdk(server)
    for kind in ("application/json", "application/json; charset=utf-8"):
        assert asker.ask(path, BODIES[path], {"content-type": kind})[0] == 200
    assert _by_the_sdk(server) == before
    asker.ask(path, BODIES[path], ORDINARY)
    assert _by_the_sdk(server) == before + 1


def test_a_plain_grpc_request_never_meets_the_sdk(server: Predictor) -> None:
    tensor = {"name": "text", "datatype": "BYTES", "shape": [1]}
    plain = pb.ModelInferRequest(
        model_name="intent",
        id="7",
        inputs=[tensor | {"contents": {"bytes_contents": [b"hello"]}}],
    )
    options = pb.ModelInferRequest()
    options.CopyFrom(plain)
    options.parameters["a"].bool_param = True
    before = _by_the_sdk(server)
    short = _infer(server, plain)
    assert _by_the_sdk(server) == before
    assert _infer(server, options) == short
    assert _by_the_sdk(server) == before + 1


def _infer(server: Predictor, request: object) -> object:
    with grpc.insecure_channel(server.grpc) as channel:
        return GRPCInferenceServiceStub(channel).ModelInfer(request)


def _head(path: str, *more: str, version: str = "1.1") -> bytes:
    lines = (f"POST {path} HTTP/{version}", "host: a", "content-type: application/json")
    return "\r\n".join((*lines, *more)).encode() + b"\r\n"


def _length(body: bytes) -> str:
    return f"content-length: {len(body)}"


def _wire(server: Predictor) -> socket.socket:
    host, port = urlsplit(server.url).netloc.split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def _talk(server: Predictor, *parts: bytes, answers: int) -> list[bytes]:
    """Send parts one by one on one connection; the bodies of so many answers."""
    with _wire(server) as wire:
        for part in parts:
            wire.sendall(part)
        bodies = []
        for _ in range(answers):
            answer = http.client.HTTPResponse(wire)
            answer.begin()
            bodies.append(answer.read())
        return bodies


SHORT = _head(PLAIN, _length(BODIES[PLAIN])) + b"\r\n" + BODIES[PLAIN]


def test_a_request_may_come_byte_by_byte(server: Predictor) -> None:
    bytewise = [SHORT[at : at + 1] for at in range(len(SHORT))]
    assert b'"intent":"greeting"' in _talk(server, *bytewise, answers=1)[0]


def test_a_body_may_come_in_chunks(server: Predictor) -> None:
    chunks = b'5\r\n{"tex\r\nb\r\nt":"hello"}\r\n0\r\n\r\n'
    head = _head(PLAIN, "transfer-encoding: chunked") + b"\r\n"
    assert b"greeting" in _talk(server, head, chunks, answers=1)[0]


@pytest.mark.parametrize("order", ["short first", "ordinary first"])
def test_requests_in_one_breath_are_answered_in_their_order(
    server: Predictor, order: str
) -> None:
    bad = b'{"text":1}'
    ordinary = _head(PLAIN, _length(bad)) + b"\r\n" + bad
    both = (SHORT, ordinary) if order == "short first" else (ordinary, SHORT)
    said = b""
    with _wire(server) as wire:
        wire.sendall(b"".join(both) * 3)
        while said.count(b"HTTP/1.1 ") < 6 or not said.endswith(b"}"):
            said += wire.recv(65536)
    codes = re.findall(rb"HTTP/1.1 (\d+)", said)
    expected = [b"200", b"400"] if order == "short first" else [b"400", b"200"]
    assert codes == expected * 3


def test_a_caller_who_has_said_all_is_answered(server: Predictor) -> None:
    with _wire(server) as wire:
        wire.sendall(SHORT * 3)
        wire.shutdown(socket.SHUT_WR)
        said = b"".join(iter(lambda: wire.recv(65536), b""))
    assert said.count(b"HTTP/1.1 200 OK") == 3


def test_a_caller_may_wait_for_100_continue(server: Predictor) -> None:
    head = _head(PLAIN, _length(BODIES[PLAIN]), "expect: 100-continue") + b"\r\n"
    with _wire(server) as wire:
        wire.sendall(head)
        assert wire.recv(65536).startswith(b"HTTP/1.1 100 Continue")
        wire.sendall(BODIES[PLAIN])
        assert wire.recv(65536).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_connection_that_ends_is_closed(server: Predictor, version: str) -> None:
    more = [] if version == "1.0" else ["connection: close"]
    head = _head(PLAIN, _length(BODIES[PLAIN]), *more, version=version) + b"\r\n"
    with _wire(server) as wire:
        wire.sendall(head + BODIES[PLAIN])
        said = b"".join(iter(lambda: wire.recv(65536), b""))
    assert b"connection: close" in said
    assert said.endswith(b"}")


def test_a_long_body_is_answered_by_the_ordinary_way(
    server: Predictor, asker: Asker
) -> None:
    before = _by_the_sdk(server)
    for size in (9_000, 200_000):
        body = json.dumps({"instances": ["hello you"] * 8, "more": "a" * size})
        assert asker.ask(V1, body.encode(), JSON)[0] == 200
    assert _by_the_sdk(server) == before + 1


def test_texts_that_cost_too_much_are_answered_by_the_ordinary_way(
    server: Predictor, asker: Asker
) -> None:
    before = _by_the_sdk(server)
    for texts in (["hello you"], ["h"] * 1024):
        body = json.dumps({"instances": texts})
        assert asker.ask(V1, body.encode(), JSON)[0] == 200
    assert _by_the_sdk(server) == before + 1


def test_only_users_are_counted_whichever_way_they_come(
    server: Predictor, asker: Asker
) -> None:
    counts = []
    for kind in (JSON, ORDINARY):
        for mark in ({}, {"x-intent-traffic": "shadow"}):
            before = _counted(server)
            asker.ask(V1, BODIES[V1], {**kind, **mark})
            counts.append(_counted(server) - before)
    assert counts == [2, 0, 2, 0]


def _counted(server: Predictor) -> float:
    """Requests and predictions so far."""
    page = requests.get(f"{server.url}/metrics", timeout=5).text
    names = ("intent_requests_total", "intent_predictions_total")
    lines = [line for line in page.splitlines() if line.startswith(names)]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)
