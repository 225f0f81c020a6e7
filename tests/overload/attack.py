"""Raw requests, and what a server's process holds."""

import re
import socket
from urllib.parse import urlsplit

from tests.support.predictors import Predictor

MIB = 1024 * 1024


def wire(server: Predictor, patience_s: float = 10) -> socket.socket:
    """Connect, and wait for nothing longer than `patience_s`."""
    host, port = urlsplit(server.url).netloc.split(":")
    return socket.create_connection((host, int(port)), timeout=patience_s)


def head(path: str, *more: str, length: int | None = None) -> bytes:
    """Return the head of a POST."""
    lines = [f"POST {path} HTTP/1.1", "host: a", *more]
    if length is not None:
        lines.append(f"content-length: {length}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def said(line: socket.socket, until: bytes = b"}") -> bytes:
    """Return what comes up to `until`, or until the end."""
    found = b""
    while not found.endswith(until):
        part = line.recv(65536)
        if not part:
            break
        found += part
    return found


def status(answer: bytes) -> int:
    """Return the status of an answer."""
    found = re.match(rb"HTTP/1.1 (\d+)", answer)
    assert found, answer[:200]
    return int(found[1])


def peak_mib(server: Predictor) -> float:
    """Return the most memory that the server's process has had."""
    with open(f"/proc/{server.process.pid}/status") as lines:
        (line,) = [each for each in lines if each.startswith("VmHWM")]
    return int(line.split()[1]) / 1024
