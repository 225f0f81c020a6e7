"""What connections read of streams: with the hot path in them, and without."""

import asyncio
import random
import re
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from predictor.connection import connection_class
from predictor.hotpath import Asked
from predictor.overload.connection import GuardedConnection
from predictor.overload.guard import Guard
from tests.fuzz.streams import Stream, parts, stream
from tests.overload.test_limits import Wire

AT_ONCE, QUIET = 50, 4
READ = (b"/v1/models/intent:predict", b"/v2/models/intent/infer", b"/predict")
STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")
USUAL = {b"100", b"200"}
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"

# Method, target, headers, body.
Request = tuple[bytes, bytes, tuple[tuple[bytes, bytes], ...], bytes]


class Line:
    """One connection, and the requests that were read from it."""

    def __init__(
        self, kind: Any, config: uvicorn.Config, state: ServerState, number: int
    ) -> None:
        """Take the place of a caller's address with a number."""
        self.seen: list[Request] = []
        self.wire = Wire({"peername": ("line", number)})
        self.connection = kind(config, state, {})

    def send(self, sent: Sequence[bytes]) -> None:
        """Send bytes as they come, until the connection is closed."""
        for part in sent:
            if not self.wire.is_closed:
                self.connection.data_received(part)

    def read(self) -> tuple[list[Request], list[bytes], bool]:
        """Return the requests, their statuses, and whether the connection was ended.

        Whether a cut is told with a status too depends on what is still answered.
        """
        statuses = STATUS.findall(self.wire.sent)
        is_ended = self.wire.is_closed or self.wire.is_ended or self.wire.is_aborted
        if is_ended and statuses and statuses[-1] != b"200":
            statuses.pop()
        return self.seen, statuses, is_ended


class Way:
    """Connections of one class; stands for the application and for the hot path."""

    def __init__(self, *, is_hot: bool) -> None:
        """Make the class."""
        guard = Guard()
        self.routes = {path: path for path in READ}
        kind: Any = _plain(guard)
        if is_hot:
            kind = connection_class(self, guard)  # type: ignore[arg-type]
        self._kind, self._state = kind, ServerState()
        self._config = uvicorn.Config(
            self._application, interface="asgi3", proxy_headers=False, log_config=None
        )
        self._lines: list[Line] = []

    def connect(self, many: int) -> list[Line]:
        """Return new connections; those before are lost."""
        for line in self._lines:
            line.connection.connection_lost(None)
        config, state = self._config, self._state
        made = (Line(self._kind, config, state, number) for number in range(many))
        self._lines = list(made)
        for line in self._lines:
            line.connection.connection_made(line.wire)
        return self._lines

    def response(self, asked: Asked, body: bytes, defaults: Any) -> bytes | None:
        """Answer for the hot path; some requests go on to the application."""
        del defaults
        if len(body) % 3 == 1:
            return None
        url: Any = asked.route
        headers = asked.headers
        (line,) = [each for each in self._lines if each.connection.headers is headers]
        line.seen.append((b"POST", url, tuple(headers), body))
        return OK

    def refusal(self, body: bytes) -> None:
        """Refuse none."""

    def is_nearly_full(self, letters: int) -> bool:
        """Read all."""
        del letters
        return False

    async def _application(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(asyncio.CancelledError):  # the caller left, or was cut
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        query = scope["query_string"]
        target = scope["raw_path"] + b"?" * bool(query) + query
        asked = (scope["method"].encode(), target, tuple(scope["headers"]), body)
        self._lines[scope["client"][1]].seen.append(asked)
        length = [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 200, "headers": length})
        await send({"type": "http.response.body", "body": b""})


def _plain(guard: Guard) -> type[GuardedConnection]:
    class Plain(GuardedConnection):
        pass

    Plain.guard = guard
    return Plain


async def _told(
    ways: Sequence[Way], streams: Sequence[Stream], chance: random.Random
) -> list[list[Line]]:
    """Send each stream to a connection of each way, and wait until all is quiet."""
    lines = [way.connect(len(streams)) for way in ways]
    for each in lines:
        for line, sent in zip(each, streams, strict=True):
            line.send(parts(chance, sent.sent))
    still, before = 0, -1
    while still < QUIET:
        await asyncio.sleep(0)
        done = sum(len(each.seen) + len(each.wire.sent) for each in chain(*lines))
        still, before = (still + 1 if done == before else 0), done
    return lines


def compare(requests: int, seed: int) -> tuple[int, list[str]]:
    """Return how many requests were read, and streams that were read in two ways."""
    chance = random.Random(seed)
    sent, read, found = 0, 0, []
    with asyncio.Runner() as runner:
        ways = [Way(is_hot=True), Way(is_hot=False)]
        while sent < requests:
            streams = [stream(chance) for _ in range(AT_ONCE)]
            hot, plain = runner.run(_told(ways, streams, chance))
            for each, one, other in zip(streams, hot, plain, strict=True):
                sent += each.requests
                read += len(other.seen)
                if one.read() != other.read() or set(one.read()[1]) - USUAL:
                    told = f"hot:   {one.read()}\nplain: {other.read()}"
                    found.append(f"{each.sent!r}\n{told}")
    return read, found
