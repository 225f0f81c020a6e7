"""What a connection holds of the server's budgets, and gives back."""

from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from predictor.overload.guard import Guard
from predictor.protocol import MAX_LETTERS


class Flow(FlowControl):
    """Does not read on while the connection has bytes that are not parsed."""

    is_full = False

    def resume_reading(self) -> None:
        """Read on, unless there is enough to parse."""
        if not self.is_full:
            super().resume_reading()


class Holding(HttpToolsProtocol):
    """A connection that counts what it holds; `guard` is shared by all of a server."""

    guard: Guard
    flow: Flow
    held = held_short = held_unread = coming = 0

    def connection_made(self, transport: Any) -> None:
        """Begin, and hold nothing."""
        super().connection_made(transport)
        self.flow = Flow(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give back all."""
        self._give_short()
        self._give()
        self._expect(0)
        super().connection_lost(exc)  # which calls resume_writing of the flow only
        self._give_unread()

    def pause_writing(self) -> None:
        """Count an answer that is not read; too many, and this one is closed."""
        super().pause_writing()
        size = self.transport.get_write_buffer_size()
        if self.guard.held.take(size):
            self.held_unread += size
        else:
            self.guard.faults["unread"] += 1
            self.transport.abort()

    def resume_writing(self) -> None:
        """Give back what the answer held."""
        super().resume_writing()
        self._give_unread()

    def _take_short(self, count: int) -> bool:
        is_taken = self.guard.short.take(count)
        if is_taken:
            self.held_short += count
        return is_taken

    def _give_short(self) -> None:
        if self.held_short:
            self.guard.short.give(self.held_short)
            self.held_short = 0

    def _take(self, count: int) -> bool:
        is_taken = self.guard.held.take(count)
        if is_taken:
            self.held += count
        return is_taken

    def _give(self) -> None:
        if self.held:
            self.guard.held.give(self.held)
            self.held = 0

    def _expect(self, size: int) -> None:
        """Count the letters that a long body of so many bytes can bring."""
        before, self.coming = self.coming, min(size, MAX_LETTERS)
        self.guard.coming += self.coming - before

    def _give_unread(self) -> None:
        self.guard.held.give(self.held_unread)
        self.held_unread = 0
