"""uvicorn's HTTP connection with the hot path in it, before any application.

A request on the hot path is answered as soon as its body is complete: no task, no
scope, no middleware, no router. Every other request is replayed to uvicorn unchanged.
Writes are batched per turn of the event loop, because waking the peer once per answer
cost more than answering.

HttpToolsProtocol's callbacks and attributes are not uvicorn's public interface, so
`server_class` tests its own connection first, and keeps uvicorn's if the test fails.
"""

import asyncio
import time
from collections import deque
from typing import Any

import uvicorn
from kserve.protocol.rest.server import RESTServer
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from predictor.hotpath import Asked, HotPath
from predictor.log import logger
from predictor.observer import MARK

SHORT_BODY = 64 * 1024
PROBE = (
    b"POST /predict HTTP/1.1\r\nhost: probe\r\ncontent-length: 13\r\n"
    + MARK
    + b': probe\r\n\r\n{"text":"hi"}'
)
OTHER = b"GET /other HTTP/1.1\r\nhost: probe\r\n\r\n"


def server_class(path: HotPath) -> type[RESTServer]:
    """Return the SDK's REST server, with the hot path if this uvicorn supports it."""
    protocol = connection_class(path)
    is_known = is_answered(protocol)

    class HotServer(RESTServer):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            if is_known:
                self.config.http = protocol

    return HotServer


def connection_class(path: HotPath) -> type[HttpToolsProtocol]:
    """Return uvicorn's connection class, which tries `path` first."""
    waiting: deque[tuple[HttpToolsProtocol, bytes]] = deque()

    def flush() -> None:
        """Send together the answers of this turn of the event loop."""
        while waiting:
            protocol, found = waiting.popleft()
            if not protocol.transport.is_closing():
                protocol.transport.write(found)
            protocol.on_response_complete()

    class HotConnection(HttpToolsProtocol):
        asked: Asked | None = None

        def on_message_begin(self) -> None:
            self.url, self.headers = b"", []
            self.expect_100_continue = False
            self.asked, self.body = None, b""

        def on_headers_complete(self) -> None:
            route = path.routes.get(self.url)
            if route is not None and self._is_idle() and self._is_usual():
                self.asked = Asked(route, self.headers, time.perf_counter())
            else:
                self._begin()

        def on_body(self, body: bytes) -> None:
            if self.asked is None:
                super().on_body(body)
                return
            self.body += body
            if len(self.body) > SHORT_BODY:
                self._replay()

        def on_message_complete(self) -> None:
            asked, self.asked = self.asked, None
            if asked is not None:
                found = self._found(asked)
                if found is not None:
                    if not waiting:
                        self.loop.call_soon(flush)
                    waiting.append((self, found))
                    return
                self._replay()
            super().on_message_complete()

        def eof_received(self) -> None:
            flush()
            super().eof_received()

        def shutdown(self) -> None:
            flush()
            if self.asked is not None:
                self._replay()
            super().shutdown()

        def _found(self, asked: Asked) -> bytes | None:
            try:
                return path.response(
                    asked, self.body, self.server_state.default_headers
                )
            except Exception:  # noqa: BLE001
                # The parser would take the error for a bad request and close the
                # connection; the application meets it again, and answers 500.
                logger.exception("the hot path failed")
                return None

        def _is_idle(self) -> bool:
            """Return whether no earlier request waits to be answered or sent."""
            is_answered = self.cycle is None or self.cycle.response_complete
            return is_answered and not self.flow.write_paused

        def _is_usual(self) -> bool:
            parser = self.parser
            return bool(
                parser.get_method() == b"POST"
                and parser.get_http_version() == "1.1"
                and parser.should_keep_alive()
                and not parser.should_upgrade()
                and not self.expect_100_continue
            )

        def _begin(self) -> None:
            """Pass the head of the request to uvicorn, which has not received it."""
            flush()
            url, headers, expects = self.url, self.headers, self.expect_100_continue
            super().on_message_begin()
            self.url, self.expect_100_continue = url, expects
            self.headers.extend(headers)
            super().on_headers_complete()

        def _replay(self) -> None:
            body, self.asked, self.body = self.body, None, b""
            self._begin()
            super().on_body(body)

    return HotConnection


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
