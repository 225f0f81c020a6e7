"""uvicorn's HTTP connection with the hot path in it, before any application.

A request on the hot path is answered as soon as its body is complete: no task, no
scope, no middleware, no router. Every other request is replayed to uvicorn unchanged.
Writes are batched per turn of the event loop, because waking the peer once per answer
cost more than answering; what a turn has no time for is answered in a later one.

HttpToolsProtocol's callbacks and attributes are not uvicorn's public interface, so
`server_class` tests its own connection first, and keeps uvicorn's if the test fails.
"""

import time
from collections import deque
from typing import Any

from kserve.protocol.rest.server import RESTServer
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from predictor.hotpath import Asked, HotPath
from predictor.log import logger
from predictor.overload.connection import GuardedConnection
from predictor.overload.cutting import BODY, HEAD, IDLE
from predictor.overload.guard import TURN_S, Guard
from predictor.overload.limits import MAX_HEADERS, QUEUED_S, SHORT_BODY
from predictor.overload.server import GuardedServer
from predictor.rpc import EVERYWHERE
from predictor.wire import is_answered

BUSY = f"busy: requests wait more than {QUEUED_S:.0f} s; ask again later"


class Usual:
    """What the parser says of each request that the hot path takes."""

    get_method = staticmethod(lambda: b"POST")
    get_http_version = staticmethod(lambda: "1.1")
    should_keep_alive = staticmethod(lambda: True)
    should_upgrade = staticmethod(lambda: False)


USUAL: Any = Usual()


def server_class(
    path: HotPath, guard: Guard, host: str = EVERYWHERE
) -> type[RESTServer]:
    """Return the SDK's REST server, guarded and with the hot path, if that works."""
    protocol = connection_class(path, guard)
    is_known = is_answered(protocol)

    class HotServer(RESTServer):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.config.host = host
            if is_known:
                self.config.http = protocol
                self._server = GuardedServer(self.config, guard)

    return HotServer


def connection_class(path: HotPath, guard: Guard) -> type[GuardedConnection]:
    """Return uvicorn's connection class, which tries `path` first."""
    waiting: deque[tuple[HttpToolsProtocol, bytes]] = deque()
    turns, late = guard.turns, guard.turns.late
    turn = 0.0

    def flush() -> None:
        """Send together the answers of this turn of the event loop."""
        while waiting:
            protocol, found = waiting.popleft()
            if not protocol.transport.is_closing():
                protocol.transport.write(found)
            protocol.on_response_complete()

    class HotConnection(GuardedConnection):
        body: bytes | bytearray = b""
        asked: Asked | None = None
        late: Asked | None = None

        def on_message_begin(self) -> None:
            if self.late is not None:
                self._catch_up()
            self.url, self.headers = b"", []
            self.expect_100_continue = False
            self.asked, self.body = None, b""
            self.phase, self.head = HEAD, 0

        def on_headers_complete(self) -> None:
            route = path.routes.get(self.url)
            if route is not None and self._is_idle() and self._is_usual():
                self.phase = BODY
                self.asked = Asked(route, self.headers, time.perf_counter())
            else:
                self._begin()

        def on_body(self, body: bytes) -> None:
            if self.asked is None:
                super().on_body(body)
                return
            if not self.body:
                self.body = body
            else:  # what comes in tiny chunks must not be copied for each
                if isinstance(self.body, bytes):
                    self.body = bytearray(self.body)
                self.body += body
            if len(self.body) > SHORT_BODY:
                self._replay()

        def on_message_complete(self) -> None:
            nonlocal turn
            asked, self.asked = self.asked, None
            if asked is None:
                super().on_message_complete()
                return
            self.phase = IDLE
            if self.held_short:
                self._give_short()
            if not waiting:
                turn = asked.began
            if path.refusal(bytes(self.body)) is not None:
                self.late = asked
                turns.pace(self.loop, self._catch_up)
            elif late or asked.began - turn > TURN_S:
                self.late = asked
                turns.later(self.loop, self._catch_up)
            else:
                self._answer(asked)

        def eof_received(self) -> None:
            self._catch_up()
            flush()
            super().eof_received()

        def shutdown(self) -> None:
            self._catch_up()
            flush()
            if self.asked is not None:
                self._replay()
            super().shutdown()

        def _answer(self, asked: Asked) -> None:
            found = self._found(asked)
            if found is None:
                self._complete()
                return
            if not waiting:
                self.loop.call_soon(flush)
            waiting.append((self, found))

        def _complete(self) -> None:
            """Pass a whole request to uvicorn, though the parser may be further."""
            parser, self.parser = self.parser, USUAL
            try:
                self._replay()
                super().on_message_complete()
            finally:
                self.parser = parser

        def _catch_up(self) -> None:
            """Answer the request that an earlier turn had no time for."""
            asked, self.late = self.late, None
            if asked is None or self.transport.is_closing():
                return
            if time.perf_counter() - asked.began < QUEUED_S:
                self._answer(asked)
            else:
                self.refused_because = BUSY
                self._complete()
            if self.unread:
                self.loop.call_soon(self._parse_parts)

        def _cut(self, status: int, message: str) -> None:
            """Answer first what came before: a caller counts answers."""
            self._catch_up()
            flush()
            super()._cut(status, message)

        def _is_behind(self) -> bool:
            return self.late is not None or super()._is_behind()

        def _found(self, asked: Asked) -> bytes | None:
            try:
                return path.response(
                    asked, bytes(self.body), self.server_state.default_headers
                )
            except Exception:  # noqa: BLE001
                # The parser would take the error for a bad request and close the
                # connection; the application meets it again, and answers 500.
                logger.exception("the hot path failed")
                return None

        def _is_idle(self) -> bool:
            """Return whether no earlier request waits to be answered or sent."""
            return self._is_answered() and not self.flow.write_paused

        def _is_usual(self) -> bool:
            parser = self.parser
            return bool(
                parser.get_method() == b"POST"
                and parser.get_http_version() == "1.1"
                and parser.should_keep_alive()
                and not parser.should_upgrade()
                and not self.expect_100_continue
                and len(self.headers) <= MAX_HEADERS
                and not guard.is_ending
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
            super().on_body(bytes(body))

    HotConnection.guard = guard
    guard.is_nearly_full = path.is_nearly_full
    return HotConnection
