"""Tries a connection class without a network: is this the uvicorn it was made for?"""

import asyncio

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from predictor.log import logger
from predictor.observer import MARK

PROBE = (
    b"POST /predict HTTP/1.1\r\nhost: probe\r\ncontent-length: 13\r\n"
    + MARK
    + b': probe\r\n\r\n{"text":"hi"}'
)
OTHER = b"GET /other HTTP/1.1\r\nhost: probe\r\n\r\n"


def is_answered(kind: type[HttpToolsProtocol]) -> bool:
    """Return whether both paths work through this connection, without a network."""
    transport, state, asked = Wire(), ServerState(), []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        asked.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def ask() -> None:
        protocol = kind(uvicorn.Config(application, log_config=None), state, {})
        protocol.connection_made(transport)
        for request in (PROBE, OTHER, PROBE):
            protocol.data_received(request)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        protocol.connection_lost(None)

    try:
        asyncio.run(ask())
    except Exception:  # noqa: BLE001
        # Another uvicorn may raise anything here; the application still serves.
        logger.exception("the hot path does not work with this uvicorn")
    answers = transport.sent.count(b"HTTP/1.1 200 OK\r\n")
    is_known = (answers, state.total_requests, asked) == (3, 3, ["/other"])
    if not is_known:
        logger.warning("this uvicorn is not known: no request takes the hot path")
    return is_known


class Wire(asyncio.Transport):
    """A transport that keeps the data sent."""

    sent, is_closed = b"", False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep the data."""
        self.sent += bytes(data)

    def close(self) -> None:
        """Mark the transport closed."""
        self.is_closed = True

    def is_closing(self) -> bool:
        """Return whether the transport is closed."""
        return self.is_closed
