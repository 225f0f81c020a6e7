"""Asks whoever it may be over HTTP: the answer is bounded in bytes and in whole time.

urllib3's timeout is of each read, so a server that sends a byte a second is waited for
without end. Here an answer's first byte to its last must come within the timeout.
"""

import io
import socket
from dataclasses import dataclass
from http.client import HTTPResponse
from time import monotonic
from typing import Any, TypeVar

import urllib3
from urllib3 import connection, connectionpool
from urllib3.exceptions import HTTPError

MIB = 1024 * 1024
Pools = TypeVar("Pools", bound=urllib3.PoolManager)


@dataclass(frozen=True, slots=True)
class Answered:
    """A whole answer."""

    status: int
    data: bytes

    @property
    def text(self) -> str:
        """Return the answer as text, whatever its bytes are."""
        return self.data.decode(errors="replace")


def ask(
    http: urllib3.PoolManager,
    method: str,
    url: str,
    *,
    most: int,
    seconds: float,
    **asked: Any,
) -> Answered:
    """Return an answer of at most `most` bytes. Raises HTTPError; never redirected.

    `http` must come from `in_time`, or the time is that of each read.
    """
    answer = http.request(
        method,
        url,
        timeout=urllib3.Timeout(total=seconds),
        preload_content=False,
        redirect=False,
        **asked,
    )
    try:
        coding = answer.headers.get("content-encoding", "identity")
        if coding.lower() != "identity":
            raise HTTPError(f"Content-Encoding: expected none, got {coding[:40]!r}")
        data = b""
        # To the end, which is where a body that is less than it says raises.
        while part := answer.read(most + 1 - len(data), decode_content=False):
            data += part
            if len(data) > most:
                raise HTTPError(f"an answer of more than {most} bytes")
    except HTTPError:
        answer.close()
        raise
    answer.release_conn()
    return Answered(answer.status, data)


def status(http: urllib3.PoolManager, url: str, *, seconds: float, **asked: Any) -> int:
    """Return the status of the answer to a POST, whose body is not read."""
    answer = http.request(
        "POST",
        url,
        timeout=urllib3.Timeout(total=seconds),
        preload_content=False,
        redirect=False,
        **asked,
    )
    answer.close()
    return int(answer.status)


def in_time(pools: Pools) -> Pools:
    """Return the pools, whose answers come whole within the timeout of a read."""
    pools.pool_classes_by_scheme = {
        "http": HTTPConnectionPool,
        "https": HTTPSConnectionPool,
    }
    return pools


class _Limited(io.RawIOBase):
    """What comes on a socket until a time."""

    def __init__(self, raw: Any, line: socket.socket, until: float) -> None:
        self._raw, self._line, self._until = raw, line, until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._until - monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._line.settimeout(left)
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    """An answer that must be whole by the timeout that its socket has at first."""

    def __init__(self, sock: socket.socket, *more: Any, **named: Any) -> None:
        super().__init__(sock, *more, **named)
        seconds = sock.gettimeout()
        if seconds is not None:
            raw: Any = self.fp.detach()
            until = monotonic() + seconds
            self.fp = io.BufferedReader(_Limited(raw, sock, until))


# Named as urllib3's own: its messages name the class.
class HTTPConnection(connection.HTTPConnection):
    """A connection whose answers come in time."""

    response_class = _Response


class HTTPSConnection(connection.HTTPSConnection):
    """The same with TLS."""

    response_class = _Response


class HTTPConnectionPool(connectionpool.HTTPConnectionPool):
    """A pool of such connections."""

    ConnectionCls = HTTPConnection


class HTTPSConnectionPool(connectionpool.HTTPSConnectionPool):
    """The same with TLS."""

    ConnectionCls = HTTPSConnection
