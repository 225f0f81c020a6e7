"""uvicorn's HTTP connection within limits of bytes and time, for every route.

What is held for incomplete requests is counted, heads are bounded, silence is cut, an
upgrade is ignored. A request that comes whole costs a few comparisons more.
"""

from time import perf_counter
from typing import Any, cast

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT

from predictor.overload.cutting import BODY, CUT, HEAD, IDLE, Cutting, Refusing
from predictor.overload.limits import (
    MAX_BODY,
    MAX_HEAD,
    MAX_HEADERS,
    PIPELINED_BYTES,
    SHORT_BODY,
)

PART = 16 * 1024  # of what came at once is parsed before others have their turn
PART_S = 0.001  # and more of a body for so long
READINESS = (b"/ready", b"/ping")
PROMPT = (*READINESS, b"/metrics")
UPGRADE = frozenset((b"upgrade", b"connection", b"http2-settings"))


class StopParsingError(Exception):
    """Nothing that follows on this connection is read."""


class GuardedConnection(Cutting):
    """One connection; `guard` is shared by all of a server."""

    head = 0
    refused_because, is_waiting = "", False
    upgraded: bytes | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Give back all that was held, and drop the work for the caller who left."""
        self.unread, self.phase = b"", CUT
        super().connection_lost(exc)
        self.pipeline.clear()
        if self.task is not None:
            self.task.cancel()

    def data_received(self, data: bytes) -> None:
        """Parse what came, in parts where it is much."""
        if len(data) <= PART and not self.unread and self.phase != CUT:
            self._parse(data)
            return
        self.unread = memoryview(bytes(self.unread) + data if self.unread else data)
        self._parse_parts()

    def on_message_begin(self) -> None:
        """Begin a head."""
        self.phase, self.head = HEAD, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Begin a request, or refuse it by its head."""
        self.phase = BODY
        if self.parser.should_upgrade():
            self.upgraded = self._without_upgrade()
            return
        guard, served = self.guard, self.app
        refusal = self._refusal()
        self.is_refused = refusal is not None
        self.app, self.size = refusal or served, 0
        guard.requests += 1
        super().on_headers_complete()
        self.app = served
        if self.is_refused:
            self.cycle.transport = cast("Any", Refusing(self))
        if guard.is_ending:
            self.cycle.keep_alive = False
        if self.pipeline and not self._take_short(PIPELINED_BYTES):
            self._cut(503, "busy: too many requests wait on connections")
            raise StopParsingError

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body, up to the limit of what is held."""
        if self.upgraded is not None or self.phase == CUT:
            return
        if self.is_refused:
            self._read_later()
            return
        self.size += len(body)
        if self.size > SHORT_BODY and not self.held and not self._take(MAX_BODY):
            self._cut(503, "busy: too many long bodies are here")
            raise StopParsingError
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request; what a long body holds is held until it is answered."""
        if self.phase == CUT:
            return
        self.phase = IDLE
        self._expect(0)
        if self.is_refused:
            self._read_later()
        if not self.pipeline:
            self._give_short()
        if self.upgraded is None:
            super().on_message_complete()
        if self.is_last:
            self.transport.close()

    def shutdown(self) -> None:
        """End with the answer that is due; a refusal's body is read on for a moment."""
        if self.phase == BODY and self.is_refused and self._is_answered():
            self._discard()
        else:
            super().shutdown()

    def on_response_complete(self) -> None:
        """Give back what the request held, and go on with what came behind it.

        The sweep, and no timer of each request, closes a connection that stays idle.
        """
        self.server_state.total_requests += 1
        self.task = None
        if self.held:
            self._give()
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        if self.unread:
            self.loop.call_soon(self._parse_parts)

    def _read_later(self) -> None:
        """Let what is kept come first: this body is not."""
        if not self.is_waiting:
            self.is_waiting = self.flow.is_full = True
            self.flow.pause_reading()
            self.guard.turns.pace(self.loop, self._read_on)

    def _read_on(self) -> None:
        self.is_waiting, self.flow.is_full = False, bool(self.unread)
        self.flow.resume_reading()

    def _parse(self, data: bytes | memoryview) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._cut(400, "expected an HTTP request")
        else:
            if self.phase in (HEAD, BODY):
                self._keep(len(data))

    def _parse_parts(self) -> None:
        """Parse a part; the rest waits for other connections and for answers.

        A body is no work, and so is parsed at once, unless it comes in tiny chunks.
        """
        end = 0.0
        while self.unread and (
            not end or (self.phase == BODY and perf_counter() < end)
        ):
            if self.phase == CUT or self.transport.is_closing():
                self.unread = b""
            elif self._is_behind():
                break
            part, self.unread = self.unread[:PART], self.unread[PART:]
            self._parse(part)
            end = end or perf_counter() + PART_S
        self.flow.is_full = self.is_waiting or bool(self.unread)
        if self._is_behind():
            self.flow.pause_reading()
        elif self.unread:
            self.flow.pause_reading()
            self.guard.turns.later(self.loop, self._parse_parts)
        elif self.cycle is None or len(self.cycle.body) <= HIGH_WATER_LIMIT:
            self.flow.resume_reading()

    def _keep(self, count: int) -> None:
        """Count what is held for a request that is not complete."""
        if self.phase == HEAD:
            self.head += count
            if self.head > MAX_HEAD:
                self._cut(431, f"head: expected at most {MAX_HEAD} bytes")
                return
        if self.held_short < SHORT_BODY and not self._take_short(count):
            self._cut(503, "busy: too many requests are half here")

    def _refusal(self) -> Any:
        """Return the application that refuses a request by its head, None to serve."""
        refusal = self.guard.refusal
        if self.refused_because:
            why, self.refused_because = self.refused_because, ""
            return refusal(503, why)
        if self.guard.is_ending and self.url.endswith(READINESS):
            return refusal(503, "the server ends")
        if len(self.headers) > MAX_HEADERS:
            most = f"headers: expected at most {MAX_HEADERS}, got {len(self.headers)}"
            return refusal(431, most)
        size = next((v for name, v in self.headers if name == b"content-length"), b"0")
        if len(size) > 15 or int(size) > MAX_BODY:
            got = size[:15].decode()
            return refusal(413, f"body: expected at most {MAX_BODY} bytes, got {got}")
        if int(size) <= SHORT_BODY:
            return None
        if self.guard.is_nearly_full(self.guard.coming):
            return refusal(503, "busy: too much work waits for the model")
        if not self._take(int(size)):
            return refusal(503, "busy: too many long bodies are here")
        self._expect(int(size))
        return None

    def _without_upgrade(self) -> bytes:
        kept = [pair for pair in self.headers if pair[0] not in UPGRADE]
        first = b"%s %s HTTP/1.1\r\n" % (self.parser.get_method(), self.url)
        return first + b"".join(b"%s: %s\r\n" % pair for pair in kept) + b"\r\n"

    def _ignore_upgrade(self, rest: bytes | memoryview) -> None:
        """Read the request as one that asked for no upgrade."""
        head, self.upgraded = self.upgraded, None
        if head is None or head.startswith(b"CONNECT "):
            self._cut(400, "expected an HTTP request")
            return
        self.parser = httptools.HttpRequestParser(self)
        self._parse(head + rest)

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self.current = cycle

        def start() -> None:
            if not cycle.disconnected:
                self.task = self.loop.create_task(cycle.run_asgi(app))
                self.task.add_done_callback(self.tasks.discard)
                self.tasks.add(self.task)

        if self.is_refused:
            start()
            return
        path = cycle.scope["raw_path"]
        is_prompt = path.startswith(b"/v2/health/") or path.endswith(PROMPT)
        self.guard.turns.start(self.loop, start, is_prompt=is_prompt)
