"""gRPC's messages without a network: few are read at once, long ones are counted."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from predictor.overload import calls as calls_module
from predictor.overload.calls import Calls
from predictor.overload.limits import (
    HELD_MESSAGES,
    MAX_BODY,
    READ_AT_ONCE,
    READ_IN_TURN,
    SHORT_BODY,
)
from predictor.overload.work import BusyError


async def _one(message: str, until: asyncio.Event | None = None) -> AsyncIterator[str]:
    if until is not None:
        await until.wait()
    yield message


async def _begin(calls: Calls, ended: asyncio.Event) -> bool:
    is_at_once = calls.begin()
    await ended.wait()
    return is_at_once


def test_few_are_read_at_once_and_a_call_that_ends_unread_gives_its_place() -> None:
    async def run() -> None:
        calls, ended = Calls(), asyncio.Event()
        first = [asyncio.create_task(_begin(calls, ended)) for _ in range(READ_AT_ONCE)]
        await asyncio.sleep(0)
        assert not calls.begin()
        first[0].cancel()
        await asyncio.gather(first[0], return_exceptions=True)
        assert calls.begin()
        assert calls.keep(1)
        assert calls.begin()
        ended.set()
        assert all(await asyncio.gather(*first[1:]))

    asyncio.run(run())


def test_the_others_are_read_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        calls, come = Calls(), asyncio.Event()
        reads = [
            asyncio.create_task(calls.read(_one("late", come)))
            for _ in range(READ_IN_TURN)
        ]
        await asyncio.sleep(0)
        monkeypatch.setattr(calls_module, "QUEUED_S", 0.01)
        with pytest.raises(BusyError, match="wait more than"):
            await calls.read(_one("never"))
        come.set()
        assert await asyncio.gather(*reads) == ["late"] * READ_IN_TURN
        assert await calls.read(_one("then")) == "then"

    asyncio.run(run())


def test_a_message_that_does_not_come_gives_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calls_module, "BODY_S", 0.01)

    async def run() -> None:
        calls = Calls()
        for _ in range(READ_IN_TURN + 1):
            with pytest.raises(BusyError, match="did not come in time"):
                await calls.read(_one("never", asyncio.Event()))

    asyncio.run(run())


def test_too_many_that_wait_are_refused_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calls_module, "WAITING_CALLS", 0)
    with pytest.raises(BusyError, match="0 calls wait to be read"):
        asyncio.run(Calls().read(_one("never")))


def test_long_messages_are_counted_until_they_are_answered() -> None:
    async def keep(calls: Calls, ended: asyncio.Event) -> bool:
        is_kept = calls.keep(MAX_BODY)
        await ended.wait()
        return is_kept

    async def run() -> Any:
        calls, ended = Calls(), asyncio.Event()
        many = HELD_MESSAGES // MAX_BODY + 1
        kept = [asyncio.create_task(keep(calls, ended)) for _ in range(many)]
        await asyncio.sleep(0)
        assert calls.keep(SHORT_BODY)
        ended.set()
        found = await asyncio.gather(*kept)
        await asyncio.sleep(0)
        return found, await asyncio.create_task(keep(calls, ended))

    assert asyncio.run(run()) == ([True] * (HELD_MESSAGES // MAX_BODY) + [False], True)
