"""uvicorn's server that accepts in batches and ends without losing a request.

uvloop accepts one connection in each turn of its loop, so a probe waits behind all who
came before; here each turn accepts all that wait. After SIGTERM the server says that it
is not ready, answers on, with `connection: close`, and ends when nobody asks any more.
"""

import asyncio
import socket
from contextlib import suppress
from time import monotonic
from types import FrameType
from typing import Any

import uvicorn
from kserve.protocol.rest.server import _RefreshingServer

from predictor.log import logger
from predictor.overload.cutting import sweep
from predictor.overload.guard import Guard
from predictor.overload.limits import GRACE_S, LAST_S, QUIET_S, TOLD_S

BATCH = 256
BACKLOG = 2048
RECEIVED = 64 * 1024


class Listener:
    """Listens on one port, with the methods that uvicorn's server asks of it."""

    def __init__(self, address: socket.socket, make: Any, ssl: Any) -> None:
        """Accept at once; `make` returns a connection."""
        self.sockets = [address]
        self._listening, self._make, self._ssl = address, make, ssl
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loop.add_reader(address, self._accept)

    def close(self) -> None:
        """Accept what waits, and listen no more."""
        if self._listening.fileno() >= 0:
            self._accept()
            self._loop.remove_reader(self._listening)
            self._listening.close()

    async def wait_closed(self) -> None:
        """Wait for connections that were being made."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self) -> None:
        for _ in range(BATCH):
            try:
                accepted, _ = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # too many open files: those who wait, wait on
                logger.warning("accept failed", extra={"fields": {"why": str(error)}})
                self._loop.remove_reader(self._listening)
                self._loop.call_later(1.0, self._again)
                return
            self._connect(accepted)

    def _again(self) -> None:
        if self._listening.fileno() >= 0:
            self._loop.add_reader(self._listening, self._accept)

    def _connect(self, accepted: socket.socket) -> None:
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        making = self._loop.connect_accepted_socket(self._make, accepted, ssl=self._ssl)
        task = self._loop.create_task(_made(making))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _made(making: Any) -> None:
    with suppress(OSError):  # the caller has left, or is no TLS client
        await making


class GuardedServer(_RefreshingServer):  # type: ignore[misc]
    """The SDK's server with our listener, sweep and end."""

    def __init__(self, config: uvicorn.Config, guard: Guard) -> None:
        """Share `guard` with the connections."""
        super().__init__(config)
        self.should_exit: bool = False
        self._guard = guard
        self._ending: float | None = None
        self._last, self._seen = 0.0, 0

    async def startup(self, sockets: Any = None) -> None:
        """Listen on the port, with no other way to be given sockets."""
        del sockets
        await self.lifespan.startup()
        config = self.config

        def make() -> Any:
            return config.http_protocol_class(
                config=config,
                server_state=self.server_state,
                app_state=self.lifespan.state,
            )

        listening = socket.create_server((config.host, config.port), backlog=BACKLOG)
        listening.setblocking(False)
        # What the kernel holds for connections counts as the pod's memory too, and
        # uvloop reads all of it at once.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED)
        self.servers = [Listener(listening, make, config.ssl)]
        self._log_started_message([listening])
        self._sweep = asyncio.create_task(
            sweep(self.server_state.connections, self._guard)
        )
        self.started = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End after a grace; at once if asked again."""
        if self._guard.is_ending:
            super().handle_exit(sig, frame)
            return
        self._captured_signals.append(sig)
        self._guard.is_ending = True

    async def shutdown(self, sockets: Any = None) -> None:
        """Wait for what is being answered, and refuse the rest before LAST_S."""
        loop = asyncio.get_running_loop()
        loop.call_later(LAST_S - TOLD_S, self._give_up)
        await super().shutdown(sockets)

    def _give_up(self) -> None:
        for each in list(self.server_state.connections):
            each.give_up()

    async def on_tick(self, counter: int) -> bool:
        """Look whether it is time to end."""
        if self._guard.is_ending and not self.should_exit:
            self.should_exit = self._is_quiet()
        return bool(await super().on_tick(counter))

    def _is_quiet(self) -> bool:
        """Return whether no request came for QUIET_S, or the grace is over."""
        now, seen = monotonic(), self._guard.requests
        if self._ending is None:
            self._ending, self._last, self._seen = now, now, seen
        if seen != self._seen:
            self._seen, self._last = seen, now
        return now - self._last >= QUIET_S or now - self._ending >= GRACE_S
