"""A connection that is cut when it takes too long, or sends what cannot be served.

A sweep each second finds those that take too long: no request needs a timer.
"""

import asyncio
from time import monotonic
from typing import Any

from predictor.overload.guard import Guard, cut_answer
from predictor.overload.holding import Holding
from predictor.overload.limits import BODY_S, ENDING_S, FIRST_S, HEAD_S, UNREAD_S

IDLE, FIRST, HEAD, BODY, UNREAD, CUT = range(6)
LIMIT_S = {FIRST: FIRST_S, HEAD: HEAD_S, BODY: BODY_S, UNREAD: UNREAD_S, CUT: 1.0}


class Cutting(Holding):
    """A connection that knows since when it is in its phase."""

    phase, since = FIRST, 0.0
    swept: tuple[int, Any] = (FIRST, None)
    size = 0  # of the body, as far as it is here
    unread: bytes | memoryview = b""
    is_refused = is_last = False
    task: Any = None
    current: Any = None  # the request that is being answered

    def connection_made(self, transport: Any) -> None:
        """Begin; a connection must ask within FIRST_S."""
        super().connection_made(transport)
        self.since = monotonic()

    def sweep(self, now: float, is_ending: bool) -> None:
        """Cut a connection that takes too long; called each second."""
        phase = UNREAD if self.flow.write_paused else self.phase
        if phase != self.swept[0] or self.headers is not self.swept[1]:
            self.swept, self.since = (phase, self.headers), now
        elif self.coming:  # a slow caller keeps no place for what is not here
            self._expect(self.size)
        if phase == IDLE and (self._is_behind() or not self._is_answered()):
            return
        most = LIMIT_S.get(phase, self.timeout_keep_alive)
        if is_ending and phase != IDLE:
            most = min(most, ENDING_S)
        if now - self.since < most:
            return
        if phase in (HEAD, BODY):
            self._cut(408, "the request did not come in time")
        elif phase == IDLE:
            self.transport.close()
        else:
            self.guard.faults["silent"] += phase != CUT
            self.transport.abort()

    def _is_answered(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _is_behind(self) -> bool:
        """Return whether earlier requests of this connection wait for their answers."""
        return bool(self.pipeline)

    def _last_whole(self) -> Any:
        """Forget a half request that waits behind others; return the one before it.

        Its answer closes the connection: before it, a status would be taken for it.
        """
        if not self.pipeline or not self.cycle.more_body:
            return self.cycle
        self.pipeline.popleft()
        return self.pipeline[0][0] if self.pipeline else self.current

    def _cut(self, status: int, message: str) -> None:
        """Read no more; answer what is complete, or else say why, and close."""
        if self.phase == CUT:
            return
        self.guard.faults[str(status)] += 1
        is_discarding = self.phase == BODY and self.is_refused
        self.unread, self.phase = b"", CUT
        self._give_short()
        self._expect(0)
        cycle = self._last_whole()
        if cycle is not None and not cycle.response_complete:
            cycle.keep_alive = False
            if not cycle.more_body:
                return  # an earlier request, whose answer closes the connection
            cycle.disconnected = True
            if self.task is not None:
                self.task.cancel()
            if cycle.response_started:
                self.transport.close()
                return
        if not is_discarding:  # else its answer was sent long ago
            self.transport.write(cut_answer(status, message))
        self._discard()

    def give_up(self) -> None:
        """Tell a caller who is not answered when the time is over to ask again."""
        if self.phase == CUT or self._is_answered():
            return
        if self.current is None or self.current.response_started:
            return
        self.current.disconnected = True
        if self.task is not None:
            self.task.cancel()
        self.transport.write(cut_answer(503, "the server ends"))
        self._discard()

    def _discard(self) -> None:
        """Read on, and keep nothing, until the caller closes or the sweep does.

        A close with bytes unread would take the last answer back from the caller.
        """
        self.unread, self.phase = b"", CUT
        self.flow.is_full = False
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()


class Refusing:
    """The transport of a refusal that comes before its request's body.

    A close with bytes unread would take the answer back from the caller.
    """

    def __init__(self, connection: Cutting) -> None:
        """Send on `connection`."""
        self._connection = connection

    def write(self, data: bytes) -> None:
        """Send."""
        self._connection.transport.write(data)

    def close(self) -> None:
        """Close once the body is read."""
        connection = self._connection
        if connection.phase == BODY and not connection.expect_100_continue:
            connection.is_last = True
        else:
            connection.transport.close()


async def sweep(connections: set[Any], guard: Guard) -> None:
    """Cut what takes too long, each second, for ever."""
    while True:
        await asyncio.sleep(1.0)
        now = monotonic()
        for each in list(connections):
            if isinstance(each, Cutting):
                each.sweep(now, guard.is_ending)
