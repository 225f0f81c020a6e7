"""Bounds without a network or a clock: work, bytes, turns, phases of a connection."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import httptools
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from predictor import wire
from predictor.overload.connection import GuardedConnection
from predictor.overload.guard import STARTS, Budget, Guard, Turns
from predictor.overload.limits import (
    BODY_S,
    FIRST_S,
    HEAD_S,
    HELD_SHORT,
    MAX_BODY,
    SHORT_BODY,
)
from predictor.overload.work import BusyError, Work
from predictor.scorer import Scorer

HEAD = b"POST /x HTTP/1.1\r\nhost: a\r\n"


class Model:
    """Answers when it is let; keeps what it was asked."""

    def __init__(self, reason: str = "") -> None:
        """Cost ten milliseconds a text."""
        self.go = threading.Event()
        self.asked: list[list[str]] = []
        self.scorer = Scorer(self._rows, reason, text_s=0.01, letter_s=0.0)

    def _rows(self, texts: Sequence[str]) -> list[list[float]]:
        self.asked.append(list(texts))
        assert self.go.wait(10)
        return [[1.0]] * len(texts)


def test_work_that_would_wait_too_long_is_refused_and_one_request_never_is() -> None:
    model = Model()
    work = Work(model.scorer, queued_s=0.5)

    async def ask() -> None:
        long = asyncio.create_task(work.rows(["long"] * 100))
        await asyncio.sleep(0)
        with pytest.raises(BusyError, match=r"1\.0 s of work wait"):
            await work.rows(["a"])
        model.go.set()
        assert len(await long) == 100
        assert await work.rows(["a"]) == [[1.0]]

    asyncio.run(ask())


def test_work_whose_caller_left_is_not_done() -> None:
    model = Model()
    work = Work(model.scorer, queued_s=10.0)

    async def ask() -> None:
        left = asyncio.create_task(work.rows([f"left {n}" for n in range(100)]))
        never = asyncio.create_task(work.rows(["never"]))
        kept = asyncio.create_task(work.rows(["kept"]))
        await asyncio.sleep(0)
        left.cancel()
        never.cancel()
        await asyncio.gather(left, never, return_exceptions=True)
        model.go.set()
        await kept

    asyncio.run(ask())
    assert model.asked == [["left 0", "left 1"], ["kept"]]


def test_a_short_batch_does_not_wait_for_all_of_a_long_one() -> None:
    model = Model()
    model.go.set()
    work = Work(model.scorer, queued_s=10.0)

    async def ask() -> None:
        long, short = work.rows(["long"] * 100), work.rows(["short"])
        await asyncio.gather(long, short)

    asyncio.run(ask())
    assert model.asked.index(["short"]) < 5


def test_a_pipeline_answers_a_batch_as_one() -> None:
    """Of a part it might round otherwise."""
    model = Model("a step is not compiled")
    model.go.set()
    work = Work(model.scorer)
    asyncio.run(_rows(work, ["a"] * 50))
    assert model.asked == [["a"] * 50]


async def _rows(work: Work, texts: list[str]) -> None:
    await work.rows(texts)


def test_a_turn_begins_some_requests_and_a_probes_first() -> None:
    turns, begun = Turns(), []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        for number in range(STARTS * 2):
            turns.start(loop, lambda n=number: begun.append(n), is_prompt=False)  # type: ignore[misc]
        turns.start(loop, lambda: begun.append("probe"), is_prompt=True)
        await asyncio.sleep(0)
        assert begun == ["probe", *range(STARTS - 1)]
        await asyncio.sleep(0)
        assert len(begun) == 2 * STARTS

    asyncio.run(run())


class Wire(wire.Wire):
    """Knows what a connection asks of its transport."""

    is_ended = is_aborted = False

    def pause_reading(self) -> None:
        """All is here."""

    def resume_reading(self) -> None:
        """All is here."""

    def can_write_eof(self) -> bool:
        """Return True, as of a socket."""
        return True

    def write_eof(self) -> None:
        """Note the end of what is sent."""
        self.is_ended = True

    def abort(self) -> None:
        """Note that all is dropped."""
        self.is_aborted = True


class Line:
    """A connection to an application that never answers, and its wire."""

    def __init__(self, guard: Guard) -> None:
        """Connect."""

        class Connection(GuardedConnection):
            pass

        Connection.guard = guard
        self.wire = Wire()
        config = uvicorn.Config(_silent, log_config=None)
        self.connection = Connection(config, ServerState(), {})
        self.connection.connection_made(self.wire)

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.connection.data_received(data)

    def after(self, seconds: float) -> bytes:
        """What was sent when a sweep finds that so much time has passed."""
        self.connection.sweep(self.connection.since, is_ending=False)
        self.connection.sweep(self.connection.since + seconds, is_ending=False)
        return self.wire.sent


async def _silent(scope: Scope, receive: Receive, send: Send) -> None:
    del scope, receive, send
    await asyncio.Event().wait()


def _run(check: Any) -> None:
    async def run() -> None:
        check()
        await asyncio.sleep(0)

    asyncio.run(run())


PHASES = {
    "nothing": (b"", FIRST_S, b""),
    "half a head": (HEAD, HEAD_S, b"HTTP/1.1 408 "),
    "half a body": (HEAD + b"content-length: 9\r\n\r\n{", BODY_S, b"HTTP/1.1 408 "),
}


@pytest.mark.parametrize(("sent", "limit", "answer"), PHASES.values(), ids=PHASES)
def test_silence_is_cut_when_its_time_is_over(
    sent: bytes, limit: float, answer: bytes
) -> None:
    def check() -> None:
        line = Line(Guard())
        if sent:
            line.send(sent)
        assert line.after(limit - 0.1) == b""
        assert not line.wire.is_aborted
        assert line.after(limit + 0.1).startswith(answer)
        assert line.wire.is_ended if answer else line.wire.is_aborted

    _run(check)


def test_a_busy_connection_is_not_taken_for_a_silent_one() -> None:
    def check() -> None:
        line, whole = Line(Guard()), HEAD + b"content-length: 1\r\n\r\n{"
        line.send(whole[:-1])
        line.connection.sweep(0.0, is_ending=False)
        line.send(whole[-1:])
        line.connection.cycle.response_complete = True
        line.send(whole[:-1])
        line.connection.sweep(BODY_S + 1, is_ending=False)
        assert line.wire.sent == b""

    _run(check)


def test_what_half_requests_hold_is_bounded_and_given_back() -> None:
    def check() -> None:
        guard, part = Guard(), b"x" * 16_000
        lines: list[Line] = []
        while not lines or not lines[-1].wire.sent:
            lines.append(Line(guard))
            lines[-1].send(HEAD + b"content-length: 60000\r\n\r\n")
            for _ in range(3):
                lines[-1].send(part)
        assert len(lines) == pytest.approx(HELD_SHORT / 48_000, rel=0.02)
        assert lines[-1].wire.sent.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1" in lines[-1].wire.sent
        for line in lines:
            line.connection.connection_lost(None)
        assert guard.short.take(HELD_SHORT)

    _run(check)


def test_long_bodies_are_refused_by_their_heads_when_there_are_many() -> None:
    refused: list[int] = []

    def wrap(app: Any) -> Any:
        refused.append(1)
        return app

    def check() -> None:
        guard = Guard(wrap)
        lines = [Line(guard) for _ in range(20)]
        for line in lines:
            line.send(HEAD + b"content-length: %d\r\n\r\n" % MAX_BODY)
            line.send(b"x" * SHORT_BODY)
        assert len(refused) == 20 - 12
        held = sum(len(line.connection.cycle.body) for line in lines)
        assert held <= 12 * SHORT_BODY
        for line in lines:
            line.connection.connection_lost(None)
        assert guard.held.take(12 * MAX_BODY)

    _run(check)


def test_requests_that_wait_on_one_connection_are_bounded() -> None:
    def check() -> None:
        guard = Guard()
        line = Line(guard)
        for _ in range(3):
            line.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n" * 10_000)
        assert len(line.connection.pipeline) < 1000
        guard.short = Budget(0)
        other = Line(guard)
        other.send(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n" * 100)
        assert not other.connection.pipeline

    _run(check)


@pytest.mark.parametrize("path", ["/v2/models/intent/ready", "/ping"])
def test_only_the_readiness_paths_say_that_the_server_ends(path: str) -> None:
    async def ask() -> bytes:
        guard = Guard()
        guard.is_ending = True
        line = Line(guard)
        line.send(b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n")
        await asyncio.sleep(0.01)
        assert not line.wire.sent
        line = Line(guard)
        line.send(b"GET %s HTTP/1.1\r\nhost: a\r\n\r\n" % path.encode())
        await asyncio.sleep(0.01)
        return line.wire.sent

    assert asyncio.run(ask()).startswith(b"HTTP/1.1 503 ")


def test_who_is_not_answered_when_the_time_is_over_is_told_to_ask_again() -> None:
    async def ask() -> None:
        line = Line(Guard())
        line.connection.give_up()
        assert line.wire.sent == b""
        line.send(b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n")
        await asyncio.sleep(0.01)
        line.connection.give_up()
        await asyncio.sleep(0.01)
        assert line.wire.sent.startswith(b"HTTP/1.1 503 ")
        assert line.wire.sent.count(b"HTTP/1.1") == 1
        assert b"retry-after: 1" in line.wire.sent
        assert line.wire.is_ended
        assert line.connection.task.done()

    asyncio.run(ask())


def test_the_end_does_not_take_a_refusal_back_from_who_still_sends() -> None:
    async def ask() -> None:
        line = Line(Guard())
        line.send(HEAD + b"content-length: %d\r\n\r\n" % (MAX_BODY + 1))
        await asyncio.sleep(0.01)
        assert line.wire.sent.startswith(b"HTTP/1.1 413 ")
        line.connection.shutdown()
        assert line.wire.is_ended
        assert not line.wire.is_closing()

    asyncio.run(ask())


def test_the_parser_is_the_one_that_was_made_for() -> None:
    """An upgrade is told by an exception whose argument says where the body begins."""
    parser = httptools.HttpRequestParser(object())
    asked = HEAD + b"connection: upgrade\r\nupgrade: h2c\r\n\r\n"
    with pytest.raises(httptools.HttpParserUpgrade) as upgrade:
        parser.feed_data(asked + b"body")
    assert upgrade.value.args == (len(asked),)
