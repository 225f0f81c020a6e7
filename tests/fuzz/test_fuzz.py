"""20,000 hostile requests: read alike by both ways, and no fault of ours."""

import asyncio

import pytest

from tests.fuzz import contents, ways

REQUESTS = 10_000
GOOD = b"POST /predict HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}"
BAD = b"POST /other HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0xD\r\n"


def test_streams_of_doubtful_framing_are_read_alike() -> None:
    read, found = ways.compare(REQUESTS, seed=7)
    assert not found, found[0]
    assert read > REQUESTS / 10


def test_contents_are_read_alike_and_raise_nothing() -> None:
    read, found = contents.compare(REQUESTS, seed=7)
    assert not found, found[0]
    assert read > REQUESTS / 10


@pytest.mark.parametrize("is_hot", [True, False])
@pytest.mark.parametrize("bad", [b"?\r\n\r\n", BAD])
def test_a_fault_is_not_told_before_the_answers_that_are_due(
    is_hot: bool, bad: bytes
) -> None:
    """A caller counts answers: a 400 was taken for that of the request before."""

    async def ask() -> list[bytes]:
        (line,) = ways.Way(is_hot=is_hot).connect(1)
        line.send([GOOD + bad])
        for _ in range(20):
            await asyncio.sleep(0)
        return ways.STATUS.findall(line.wire.sent)

    assert asyncio.run(ask())[0] == b"200"


def test_a_request_that_is_read_otherwise_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ways, "OK", b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")
    _, found = ways.compare(200, seed=7)
    assert found
