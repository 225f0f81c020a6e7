"""A server that answers with whatever bytes, at whatever speed."""

import gzip
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

MIB = 1024 * 1024
DRIP_S = 0.02


class Attacker:
    """Sends `first` to each who asks, and then `then` again and again."""

    def __init__(self, first: bytes, then: bytes = b"", slowly: bool = False) -> None:
        """Listen; `slowly` waits between two of `then`."""
        self._first, self._then, self._slowly = first, then, slowly
        self._ended = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.sent, self.asked = 0, 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Answer nobody any more."""
        self._ended.set()
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                line, _ = self._listening.accept()
                threading.Thread(target=self._answer, args=(line,), daemon=True).start()

    def _answer(self, line: socket.socket) -> None:
        with line, suppress(OSError):
            line.recv(65536)
            self.asked += 1
            line.sendall(self._first)
            while self._then and not self._ended.is_set():
                line.sendall(self._then)
                self.sent += len(self._then)
                if self._slowly:
                    self._ended.wait(DRIP_S)


def answer(body: bytes, *more: str, status: str = "200 OK") -> bytes:
    """Return a whole answer."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *more]
    return "\r\n".join(lines).encode() + b"\r\nconnection: close\r\n\r\n" + body


def bomb() -> bytes:
    """Return an answer of 64 KiB that is 64 MiB when it is unpacked."""
    return answer(gzip.compress(bytes(64 * MIB)), "content-encoding: gzip")


BEGUN = b"HTTP/1.1 200 OK\r\ncontent-length: 734003200\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
# What makes an answer without end or without sense: first bytes, what follows, slowly.
SHAPES: dict[str, tuple[bytes, bytes, bool]] = {
    "dripping body": (BEGUN, b"x", True),
    "dripping head": (b"HTTP/1.1 200 OK\r\n", b"x", True),
    "headers without end": (b"HTTP/1.1 200 OK\r\n", b"a: b\r\n" * 100, False),
    "continue without end": (b"", b"HTTP/1.1 100 Continue\r\n\r\n", True),
    "700 MB": (BEGUN, b"x" * MIB, False),
    "chunks without end": (CHUNKED, b"100000\r\n" + b"x" * MIB + b"\r\n", False),
    "a chunk of no size": (CHUNKED + b"zz\r\n\r\n", b"", False),
    "a gzip bomb": (bomb(), b"", False),
    "less than it says": (BEGUN + b"x", b"", False),
    "no HTTP": (b"\x16\x03\x01\x00\xff\r\n\r\n", b"", False),
    "nothing": (b"", b"", False),
}


@contextmanager
def attacked(kind: str) -> Iterator[Attacker]:
    """Serve one of SHAPES."""
    first, then, slowly = SHAPES[kind]
    attacker = Attacker(first, then, slowly)
    try:
        yield attacker
    finally:
        attacker.close()


@contextmanager
def answering(body: bytes, *more: str, status: str = "200 OK") -> Iterator[Attacker]:
    """Serve one whole answer."""
    attacker = Attacker(answer(body, *more, status=status))
    try:
        yield attacker
    finally:
        attacker.close()
