"""predictor.connection: what happens where uvicorn or the model is not as expected."""

import asyncio
import logging

import pytest
import uvicorn
from prometheus_client import CollectorRegistry
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from predictor import connection, wire
from predictor.hotpath import HotPath
from predictor.model import IntentModel
from predictor.observer import Observed
from predictor.overload.guard import Guard
from predictor.overload.limits import SHORT_BODY
from tests.support.predictors import MODELS

TURNS = 100
REQUEST = wire.PROBE.replace(b"x-intent-traffic: probe\r\n", b"")


@pytest.fixture
def path() -> HotPath:
    registry = CollectorRegistry()
    model = IntentModel("intent", MODELS / "v1", revision="r", registry=registry)
    model.load()
    return HotPath(model, Observed(model, log_requests=False))


def test_this_uvicorn_is_the_known_one(path: HotPath) -> None:
    assert wire.is_answered(connection.connection_class(path, Guard()))


def test_another_uvicorn_keeps_its_own_connection(
    path: HotPath, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr(HttpToolsProtocol, "on_url")
    server = connection.server_class(path, Guard())(
        "kserve.model_server:app", None, None, 0
    )
    assert server.config.http == "auto"
    assert "this uvicorn is not known" in caplog.text


def test_the_known_uvicorn_takes_ours(path: HotPath) -> None:
    server = connection.server_class(path, Guard())(
        "kserve.model_server:app", None, None, 0
    )
    assert issubclass(server.config.http, HttpToolsProtocol)


class Wire(wire.Wire):
    """Also lets a connection wait, as a long body needs."""

    def pause_reading(self) -> None:
        """Everything is here already."""

    def resume_reading(self) -> None:
        """Everything is here already."""


async def ordinary(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that can be told by its answer."""
    del scope
    await receive()
    await send({"type": "http.response.start", "status": 500, "headers": []})
    await send({"type": "http.response.body", "body": b"ordinary"})


def _connected(path: HotPath, wire: Wire) -> HttpToolsProtocol:
    config = uvicorn.Config(ordinary, log_config=None)
    protocol = connection.connection_class(path, Guard())(config, ServerState(), {})
    protocol.connection_made(wire)
    return protocol


async def _turns() -> None:
    """Let the event loop do all that is left: nothing here waits for another's time."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


def _sent(path: HotPath, *parts: bytes) -> bytes:
    """What was sent for these bytes."""
    wire = Wire()

    async def talk() -> None:
        protocol = _connected(path, wire)
        for part in parts:
            protocol.data_received(part)
        await _turns()
        protocol.connection_lost(None)

    asyncio.run(talk())
    return wire.sent


def test_a_plain_request_does_not_ask_the_application(path: HotPath) -> None:
    sent = _sent(path, REQUEST, REQUEST)
    assert sent.count(b"HTTP/1.1 200 OK") == 2
    assert b"ordinary" not in sent


def test_a_server_that_ends_sends_what_it_has(path: HotPath) -> None:
    wire = Wire()

    async def talk() -> None:
        protocol = _connected(path, wire)
        protocol.data_received(REQUEST)
        assert not wire.sent
        protocol.shutdown()
        assert wire.sent.startswith(b"HTTP/1.1 200 OK")
        protocol.connection_lost(None)

    asyncio.run(talk())
    assert b"ordinary" not in wire.sent


def test_a_server_that_ends_answers_a_request_that_is_half_here(path: HotPath) -> None:
    wire = Wire()

    async def talk() -> None:
        protocol = _connected(path, wire)
        protocol.data_received(REQUEST[:-5])
        protocol.shutdown()
        assert not wire.is_closed
        protocol.data_received(REQUEST[-5:])
        await _turns()
        assert wire.is_closed

    asyncio.run(talk())
    assert b"connection: close" in wire.sent
    assert wire.sent.count(b"ordinary") == 1


def test_a_fault_of_ours_is_left_to_the_application_and_logged(
    path: HotPath, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(HotPath, "response", lambda *_: 1 / 0)
    with caplog.at_level(logging.ERROR):
        sent = _sent(path, REQUEST)
    assert sent.endswith(b"ordinary\r\n0\r\n\r\n")
    assert "ZeroDivisionError" in caplog.text


def test_a_model_that_is_not_ready_is_left_to_the_application(path: HotPath) -> None:
    path._model.ready = False
    assert b"ordinary" in _sent(path, REQUEST)


def test_a_body_beyond_the_limit_is_left_to_the_application(path: HotPath) -> None:
    text = b"a " * SHORT_BODY
    head = REQUEST.replace(b"13", b"%d" % (len(text) + 11)).split(b"\r\n\r\n")[0]
    sent = _sent(path, head + b"\r\n\r\n", b'{"text":"', text, b'"}')
    assert b"ordinary" in sent
