"""What is refused takes little time from what is answered, and idle callers none."""

import asyncio
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
import requests
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from predictor.overload.connection import PART, GuardedConnection
from predictor.overload.cutting import BODY as BODY_PHASE
from predictor.overload.guard import CROWD, REFUSALS, Guard, Turns
from predictor.overload.limits import FIRST_S, SHORT_BODY
from predictor.overload.work import FORGOTTEN_S, BusyError, Work
from predictor.scorer import Scorer
from tests.overload.attack import said, status, wire
from tests.overload.test_limits import Line, Wire
from tests.support.predictors import Predictor

BODY = b'{"instances":["a","b","c","d"]}'
FILES = 256


def _work(queued_s: float, go: threading.Event) -> Work:
    """Return work for a model that costs ten milliseconds a text and waits for `go`."""

    def rows(texts: Sequence[str]) -> list[list[float]]:
        assert go.wait(60)
        return [[1.0]] * len(texts)

    return Work(Scorer(rows, "", text_s=0.01, letter_s=0.0), queued_s)


async def _parsed(line: GuardedConnection) -> None:
    """Wait until all that came is parsed: a busy machine needs several turns for it."""
    while line.unread:
        await asyncio.sleep(0)


def test_a_body_is_refused_unread_only_while_others_wait() -> None:
    go = threading.Event()
    work = _work(0.05, go)

    async def ask() -> None:
        assert work.refusal_of_body(BODY * 9) is None
        first = asyncio.create_task(work.rows(["a"] * 3))
        await asyncio.sleep(0)
        assert "work wait" in str(work.refusal_of_body(BODY))
        assert work.refusal_of_body(b'{"text":1}') is None
        go.set()
        await first
        assert work.refusal_of_body(BODY * 9) is None

    asyncio.run(ask())


def test_a_long_body_is_read_only_while_its_texts_could_wait() -> None:
    """All that came were parsed, and most of them only to be refused."""
    go = threading.Event()
    work = _work(0.05, go)

    async def ask() -> None:
        first = asyncio.create_task(work.read(BODY, lambda body: go.wait(60) and body))
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await work.read(BODY, bytes)
        go.set()
        assert await first == BODY
        assert await work.read(BODY * 9, bytes) == BODY * 9

    asyncio.run(ask())


def test_a_long_body_is_parsed_in_parts_that_are_no_copies() -> None:
    body = bytes(8 * PART)
    parts: list[bytes | memoryview] = []

    class Connection(GuardedConnection):
        guard = Guard()
        phase = BODY_PHASE

        def _parse(self, data: bytes | memoryview) -> None:
            parts.append(data)

    async def ask() -> None:
        config = uvicorn.Config(_nothing, log_config=None)
        line = Connection(config, ServerState(), {})
        line.connection_made(Wire())
        line.data_received(body)
        await _parsed(line)

    asyncio.run(ask())
    assert b"".join(parts) == body
    assert all(isinstance(each, memoryview) and each.obj is body for each in parts)


def test_a_body_in_tiny_chunks_is_parsed_in_turns() -> None:
    """64 callers with 60 KB in chunks of a byte: a probe waited 4.8 s."""
    chunks = b"1\r\na\r\n" * (16 * PART // 6)
    asked = b"POST /x HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"

    async def ask() -> None:
        guard = Guard()
        line = Line(guard).connection
        line.data_received(asked + chunks)
        assert line.unread
        assert len(guard.turns.late) == 1
        await _parsed(line)
        assert line.size == len(chunks) // 6

    asyncio.run(ask())


def test_texts_on_their_way_count_until_they_come_or_are_forgotten() -> None:
    """All that asked in one turn found the same room, and all but one were refused."""
    go = threading.Event()
    go.set()
    work, texts = _work(0.05, go), ["a"] * 4
    work.expect(texts)
    assert work.refusal(texts) is not None
    assert asyncio.run(work.rows(texts)) == [[1.0]] * 4
    assert work.refusal(texts) is None
    work.expect(texts)
    work._since -= FORGOTTEN_S + 1
    assert work.refusal(texts) is None


class Clock:
    """An event loop whose time only a test moves."""

    def __init__(self) -> None:
        """Begin with nothing to call."""
        self.soon: list[tuple[float, Callable[..., None], tuple[object, ...]]] = []

    def call_soon(self, call: Callable[..., None], *given: object) -> None:
        """Keep a call."""
        self.soon.append((0.0, call, given))

    def call_later(
        self, after: float, call: Callable[..., None], *given: object
    ) -> None:
        """Keep a call, and how much later it is."""
        self.soon.append((after, call, given))

    def turn(self) -> float:
        """Make the call that is kept, and return how much later it was."""
        ((after, call, given),) = self.soon
        self.soon.clear()
        call(*given)
        return after


@pytest.mark.parametrize(("waiting", "at_once"), [(2, 1), (REFUSALS * CROWD, REFUSALS)])
def test_refusals_come_few_at_once_and_leave_most_of_the_time_to_others(
    waiting: int, at_once: int
) -> None:
    turns, clock, done = Turns(), Clock(), []

    def refuse() -> None:
        time.sleep(0.002)
        done.append(1)

    for _ in range(waiting):
        turns.pace(clock, refuse)
    assert clock.turn() == 0
    assert len(done) == at_once
    assert clock.turn() >= 9 * at_once * 0.002
    assert len(done) == 2 * at_once


def test_who_is_refused_alone_waits_for_nobody() -> None:
    turns, clock, done = Turns(), Clock(), []
    for number in (1, 2):
        turns.pace(clock, lambda: done.append(1))
        assert clock.turn() == 0
        assert len(done) == number
        clock.turn()
        assert not clock.soon


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    del scope, receive, send


def _lines(guard: Guard, many: int) -> Sequence[GuardedConnection]:
    class Connection(GuardedConnection):
        pass

    Connection.guard = guard
    config, state = uvicorn.Config(_nothing, log_config=None), ServerState()
    lines = [Connection(config, state, {}) for _ in range(many)]
    for line in lines:
        line.connection_made(Wire())
    return lines


def test_a_long_body_is_refused_by_its_head_while_too_much_waits() -> None:
    asked = b"POST /x HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % (SHORT_BODY + 1)

    async def ask(is_full: bool) -> GuardedConnection:
        guard = Guard()
        guard.is_nearly_full = lambda _: is_full
        (line,) = _lines(guard, 1)
        line.data_received(asked)
        return line

    assert asyncio.run(ask(True)).is_refused
    assert not asyncio.run(ask(False)).is_refused


def test_what_long_bodies_bring_is_expected_until_they_are_whole_or_late() -> None:
    half = SHORT_BODY
    asked = b"POST /x HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % (2 * half)

    async def ask() -> None:
        guard = Guard()
        seen: list[int] = []

        def is_full(letters: int) -> bool:
            seen.append(letters)
            return False

        guard.is_nearly_full = is_full
        first, second, third = _lines(guard, 3)
        for line in (first, second, third):
            line.data_received(asked)
        assert seen == [0, 2 * half, 4 * half]
        first.data_received(bytes(2 * half))
        second.data_received(bytes(half))
        await _parsed(first)
        await _parsed(second)
        third.connection_lost(None)
        assert guard.coming == 2 * half
        for _ in range(2):
            second.sweep(second.since, is_ending=False)
        assert guard.coming == half

    asyncio.run(ask())


def test_5000_connections_that_never_ask_are_cut() -> None:
    async def ask() -> None:
        guard = Guard()
        for line in _lines(guard, 5000):
            line.sweep(line.since, is_ending=False)
            line.sweep(line.since + FIRST_S + 1, is_ending=False)
        assert guard.faults["silent"] == 5000

    asyncio.run(ask())


@contextmanager
def _files(server: Predictor, most: int) -> Iterator[None]:
    pid = server.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def test_with_256_files_those_who_find_none_wait_and_are_answered(
    server: Predictor,
) -> None:
    asked = b"GET /v2/health/live HTTP/1.1\r\nhost: a\r\n\r\n"
    with _files(server, FILES):
        lines = [wire(server) for _ in range(FILES + 50)]
        for line in lines:
            line.settimeout(60)
            line.sendall(asked)
        assert status(said(lines[0])) == 200
        for line in lines[:100]:
            line.close()
        assert [status(said(line)) for line in lines[100:]] == [200] * 206
        _close(lines)
    assert requests.get(f"{server.url}/v2/health/live", timeout=60).ok


def _close(lines: Sequence[socket.socket]) -> None:
    for line in lines:
        line.close()
