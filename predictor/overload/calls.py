"""gRPC messages that are here at once, bounded: gRPC has no limit of its own for them.

gRPC asks which method a call is for before it reads the call's message. While few are
read, nothing is added. Where many are, a call's message is asked for when a place is
free; until then gRPC holds no more of it than a window. Long ones are counted until
they are answered.
"""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from functools import partial
from time import perf_counter
from typing import Any

import grpc

from predictor.overload.guard import Budget
from predictor.overload.limits import (
    BODY_S,
    HELD_MESSAGES,
    MAX_BODY,
    QUEUED_S,
    READ_AT_ONCE,
    READ_IN_TURN,
    SHORT_BODY,
    WAITING_CALLS,
)
from predictor.overload.work import BusyError

MOST_GARBAGE = MAX_BODY
REFUSED = object()  # stands for a message that there was no room for


class Calls:
    """Calls whose messages are being read, or are long and wait for their answers."""

    def __init__(self) -> None:
        """Begin with none."""
        self._reading: set[asyncio.Task[Any]] = set()
        self._places = asyncio.Semaphore(READ_IN_TURN)
        self._held = Budget(HELD_MESSAGES)
        self._waiting = self._garbage = 0

    def begin(self) -> bool:
        """Return whether this call's message may be read at once."""
        reading = self._reading
        if len(reading) >= READ_AT_ONCE:
            reading -= {task for task in reading if task.done()}
            if len(reading) >= READ_AT_ONCE:
                return False
        reading.add(_this())
        return True

    def keep(self, size: int) -> bool:
        """Return whether this call's message, which is read, may be kept."""
        task = _this()
        self._reading.discard(task)
        if size <= SHORT_BODY:
            return True
        is_kept = self._held.take(size)
        task.add_done_callback(partial(self._forget, size, is_kept))
        return is_kept

    def _forget(self, size: int, is_kept: bool, task: asyncio.Task[Any]) -> None:
        """Free what a refusal keeps: gRPC's exception and its call hold each other."""
        del task
        if is_kept:
            self._held.give(size)
        self._garbage += size
        if self._garbage >= MOST_GARBAGE:
            self._garbage = 0
            gc.collect()

    async def read(self, messages: AsyncIterator[Any]) -> Any:
        """Return the one message of a call, in its turn. Raises BusyError."""
        if self._waiting >= WAITING_CALLS:
            raise BusyError(f"{self._waiting} calls wait to be read")
        self._waiting += 1
        try:
            async with asyncio.timeout(QUEUED_S):
                await self._places.acquire()
        except TimeoutError:
            raise BusyError(f"calls wait more than {QUEUED_S:.0f} s") from None
        finally:
            self._waiting -= 1
        try:
            async with asyncio.timeout(BODY_S):
                return await anext(messages)
        except (TimeoutError, StopAsyncIteration):
            raise BusyError("the message did not come in time") from None
        finally:
            self._places.release()


def _this() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


class Bounded:
    """One method, its messages read at once or in turn."""

    def __init__(
        self, handler: Any, calls: Calls, refused: Callable[[float], None]
    ) -> None:
        """Share `calls` with other methods; `refused` counts what is not answered."""
        self._handler, self._calls, self._refused = handler, calls, refused
        serialize = handler.response_serializer
        self._at_once = grpc.unary_unary_rpc_method_handler(
            self._answer, self._read, serialize
        )
        self._in_turn = grpc.stream_unary_rpc_method_handler(
            self._wait, self._read, serialize
        )

    def handler(self) -> Any:
        """Return the handler of a call that begins."""
        return self._at_once if self._calls.begin() else self._in_turn

    def _read(self, message: bytes) -> Any:
        if self._calls.keep(len(message)):
            return self._handler.request_deserializer(message)
        return REFUSED

    async def _answer(self, request: Any, context: Any) -> Any:
        if request is REFUSED:
            await self._refuse(context, BusyError("too many long messages are here"))
        return await self._handler.unary_unary(request, context)

    async def _wait(self, requests: AsyncIterator[Any], context: Any) -> Any:
        start = perf_counter()
        try:
            request = await self._calls.read(requests)
        except BusyError as busy:
            await self._refuse(context, busy, perf_counter() - start)
        return await self._answer(request, context)

    async def _refuse(self, context: Any, why: BusyError, seconds: float = 0.0) -> None:
        self._refused(seconds)
        await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, str(why))
