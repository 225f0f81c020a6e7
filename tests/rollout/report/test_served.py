"""The page while the promoter runs: read by anybody, delayed by nobody."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
import urllib3

from scripts.rollout.errors import Exit, RolloutError
from scripts.rollout.journal.saved import Saved
from scripts.rollout.report.served import Served
from tests.support.waiting import until
from tests.support.worlds import Rollout, policy

HTTP = urllib3.PoolManager(retries=False)


@pytest.fixture
def served() -> Iterator[Served]:
    page = Served(policy(), "127.0.0.1:0")
    yield page
    page.close(0.0)


def _saved(**changes: object) -> Saved:
    return Saved(Rollout.begun().state.changed(**changes), "")


def _read(served: Served, path: str = "/metrics") -> urllib3.BaseHTTPResponse:
    return HTTP.request("GET", f"http://127.0.0.1:{served.port}{path}", timeout=30)


def test_the_page_is_of_the_last_commit(served: Served) -> None:
    assert _read(served).data == b""
    for tick in (1, 2):
        served(_saved(tick=tick))
        answer = _read(served)
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        line = f'looks_total{{target_namespace="default",target="intent"}} {tick}.0'
        assert line in answer.data.decode()
    assert _read(served, "/state").status == 404


def test_whoever_never_ends_a_question_keeps_nobody_from_the_page(
    served: Served,
) -> None:
    served(_saved())
    with closing(socket.create_connection(("127.0.0.1", served.port))) as slow:
        slow.sendall(b"GET /metrics HTTP/1.1\r\nX: ")
        assert _read(served).status == 200


def test_the_end_waits_until_the_verdict_was_read() -> None:
    served = Served(policy(), "127.0.0.1:0")
    served(_saved())
    _read(served)
    served(_saved(verdict=Exit.PROMOTED))
    ending = threading.Thread(target=served.close, args=(60.0,))
    ending.start()
    page = _read(served).data.decode()
    assert 'verdict="promoted"} 1.0' in page
    ending.join(60)
    assert not ending.is_alive()
    until(lambda: _is_gone(served))


@pytest.mark.parametrize(("is_read", "verdict"), [(False, Exit.HELD), (True, None)])
def test_the_end_waits_for_nobody_who_never_read_and_not_without_a_verdict(
    is_read: bool, verdict: Exit | None
) -> None:
    served = Served(policy(), "127.0.0.1:0")
    served(_saved())
    if is_read:
        _read(served)
    served(_saved(verdict=verdict))
    ending = threading.Thread(target=served.close, args=(600.0,))
    ending.start()
    ending.join(60)
    assert not ending.is_alive()


def _is_gone(served: Served) -> bool:
    try:
        _read(served)
    except urllib3.exceptions.HTTPError:
        return True
    return False


@pytest.mark.parametrize("address", ["here", "127.0.0.1:http", "127.0.0.1:99999999"])
def test_an_address_that_is_none_is_said(address: str) -> None:
    with pytest.raises(
        RolloutError, match=rf"--metrics: {address}: expected HOST:PORT"
    ):
        Served(policy(), address)


def test_a_port_that_is_taken_is_said(served: Served) -> None:
    with pytest.raises(RolloutError, match="Address already in use"):
        Served(policy(), f"127.0.0.1:{served.port}")
