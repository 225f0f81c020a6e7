"""What a server's connections share: what is held, who waits, whether it ends."""

from collections import Counter, deque
from collections.abc import Callable
from http import HTTPStatus
from time import perf_counter
from typing import Any

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from predictor.overload.limits import HELD_BYTES, HELD_SHORT, RETRY_S

BUSY = HTTPStatus.SERVICE_UNAVAILABLE
TURN_S = 0.01  # of work before the event loop looks at its sockets again
STARTS = 16  # requests of the ordinary way that begin in one turn
REFUSALS_S = 0.008  # between two refusals, or between a few and the next few
REFUSALS, CROWD = 4, 200  # one more at once for so many that wait
REST = 9  # times as long as refusing took: what is done counts, not what is refused


class Budget:
    """Bytes that may be held at once."""

    def __init__(self, most: int) -> None:
        """Allow `most` bytes."""
        self._left = most

    def take(self, count: int) -> bool:
        """Take bytes, unless too few are left."""
        if count > self._left:
            return False
        self._left -= count
        return True

    def give(self, count: int) -> None:
        """Give bytes back."""
        self._left += count


class Turns:
    """Runs what waits, a slice of time in each turn of the event loop.

    A turn that answers each of 2,000 connections takes half a second, and a probe
    waits for three of them.
    """

    def __init__(self) -> None:
        """Begin with nothing that waits."""
        self.late: deque[Callable[[], None]] = deque()
        self.starts: deque[Callable[[], None]] = deque()
        self.refusals: deque[Callable[[], None]] = deque()
        self._is_asked = self._is_paced = False

    def later(self, loop: Any, work: Callable[[], None]) -> None:
        """Answer in a later turn, in order."""
        self.late.append(work)
        self._ask(loop)

    def start(self, loop: Any, work: Callable[[], None], *, is_prompt: bool) -> None:
        """Begin a request of the ordinary way, a probe's before others."""
        add = self.starts.appendleft if is_prompt else self.starts.append
        add(work)
        self._ask(loop)

    def pace(self, loop: Any, work: Callable[[], None]) -> None:
        """Refuse, or read on what is not kept, without taking the time of others.

        Who is told at once to come back comes at once, and who is refused still sends.
        """
        self.refusals.append(work)
        if not self._is_paced:
            self._is_paced = True
            loop.call_soon(self._refuse, loop)

    def _refuse(self, loop: Any) -> None:
        self._is_paced = bool(self.refusals)
        if not self._is_paced:
            return
        began = perf_counter()
        for _ in range(min(REFUSALS, 1 + len(self.refusals) // CROWD)):
            self.refusals.popleft()()
        rest = max(REFUSALS_S, REST * (perf_counter() - began))
        loop.call_later(rest, self._refuse, loop)

    def _ask(self, loop: Any) -> None:
        if not self._is_asked:
            self._is_asked = True
            loop.call_soon(self._run, loop)

    def _run(self, loop: Any) -> None:
        self._is_asked = False
        for _ in range(min(STARTS, len(self.starts))):
            self.starts.popleft()()
        end = perf_counter() + TURN_S
        while self.late and perf_counter() < end:
            self.late.popleft()()
        if self.late or self.starts:
            self._ask(loop)


class Guard:
    """The shared state of a server's connections."""

    def __init__(self, wrap: Callable[[ASGIApp], ASGIApp] = lambda app: app) -> None:
        """Wrap refusals with `wrap`, which counts them."""
        self._wrap = wrap
        self.held, self.short = Budget(HELD_BYTES), Budget(HELD_SHORT)
        self.turns = Turns()
        self.faults: Counter[str] = Counter()
        self.is_ending = False
        self.coming = 0  # letters at most, of long bodies that are not whole
        self.is_nearly_full: Callable[[int], bool] = lambda _: False
        self.requests = 0  # of the ordinary way, the only one once it ends

    def refusal(self, status: int, message: str) -> ASGIApp:
        """Return an application that answers so, whatever the request."""
        content = orjson.dumps({"error": message})
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(content)),
        ]
        if status == BUSY:
            headers.append((b"retry-after", b"%d" % RETRY_S))

        async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
            del scope, receive
            start = {"type": "http.response.start", "status": status}
            await send(start | {"headers": headers})
            await send({"type": "http.response.body", "body": content})

        return self._wrap(refuse)


def cut_answer(status: int, message: str) -> bytes:
    """Return a whole answer that closes the connection."""
    content = orjson.dumps({"error": message})
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "content-type: application/json",
        f"content-length: {len(content)}",
        "connection: close",
        *([f"retry-after: {RETRY_S}"] if status == BUSY else []),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content
