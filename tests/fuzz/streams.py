"""Draws bytes that a caller may send: requests of doubtful framing, and garbled."""

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

PATHS = (
    *("/v1/models/intent:predict", "/v2/models/intent/infer", "/predict") * 3,
    *("/predict?a", "/v2/health/live", "/other", "http://a/predict", "*"),
)
BODIES = (
    *(b'{"text":"hello"}', b'{"instances":["a","b"]}', b"", b"0\r\n\r\n"),
    b"GET /other HTTP/1.1\r\nhost: a\r\n\r\n",
    b"POST /predict HTTP/1.1\r\ncontent-length: 2\r\n\r\nhi",
)
ODD_HEADERS = (
    *(
        "x-request-id: 7",
        "x-request-id: 8",
        "x-intent-traffic: warm-up",
        "x: " + "y" * 99,
    ),
    *("connection: close", "connection: keep-alive", "expect: 100-continue", "te: x"),
    *("connection: upgrade\r\nupgrade: h2c", "content-encoding: gzip", "x :y", ": y"),
    *(" folded", "x: a\r\n b", "x: a\r\n\tcontent-length: 9", "x\x00y: z", "x: \x00"),
    *("content-type: application/json", "content-type: text/plain", "x: a\rb", "x"),
    *(
        "x: a\nb: c",
        "transfer-encoding: identity",
        "inference-header-content-length: 3",
    ),
)
CODINGS = (
    *("chunked",) * 40,
    *("Chunked", "chunked ", "\tchunked", "gzip, chunked", "chunked, gzip", "xchunked"),
    *("chunked\r\ntransfer-encoding: chunked", "chunked, chunked", '"chunked"', ""),
)


class Stream(NamedTuple):
    """Bytes, and how many requests they were made of."""

    sent: bytes
    requests: int


def stream(chance: random.Random) -> Stream:
    """Return one to four requests; in every third stream some bytes are changed."""
    requests = chance.randint(1, 4)
    sent = b"".join(_request(chance) for _ in range(requests))
    for _ in range(chance.choice((0, 0, 0, 0, 1, 2))):
        sent = chance.choice(CHANGES)(chance, sent)
    return Stream(sent, requests)


def parts(chance: random.Random, sent: bytes) -> list[bytes]:
    """Cut bytes as they may come: whole, in a few parts, or one by one."""
    if chance.random() < 0.5:
        return [sent]
    if len(sent) < 200 and chance.random() < 0.1:
        return [sent[at : at + 1] for at in range(len(sent))]
    ends = sorted(chance.randrange(len(sent) + 1) for _ in range(chance.randint(1, 5)))
    starts = [0, *ends]
    return [sent[a:b] for a, b in zip(starts, [*ends, len(sent)], strict=True) if a < b]


def _request(chance: random.Random) -> bytes:
    method = chance.choice(("POST",) * 40 + ("GET", "PUT", "CONNECT", "post"))
    version = chance.choice(("HTTP/1.1",) * 40 + ("HTTP/1.0", "HTTP/1.2", "http/1.1"))
    lines = [f"{method} {chance.choice(PATHS)} {version}", "host: a"]
    lines += chance.choices(ODD_HEADERS, k=chance.choice((0, 0, 0, 0, 0, 1, 2)))
    body = chance.choice(BODIES)
    if chance.random() < 0.4:
        lines.append(f"transfer-encoding: {chance.choice(CODINGS)}")
        if chance.random() < 0.1:
            lines.append(_length(chance, body))
        body = _chunks(chance, body)
    else:
        lines += [_length(chance, body)] * chance.choice((1,) * 20 + (0, 2))
        if chance.random() < 0.05:
            lines.append(_length(chance, body))
    end = chance.choice(("\r\n",) * 20 + ("\n",))
    return (end.join(lines) + end * 2).encode("latin-1") + body


def _length(chance: random.Random, body: bytes) -> str:
    size = len(body)
    odd = (f"+{size}", f"0{size}", f"{size},{size}", f"0x{size:x}", f"-{size}", "")
    wrong = (str(size + 1), str(max(size - 1, 0)), f"{size} ", f" {size}", "9" * 25)
    found = chance.choice((str(size),) * 60 + odd + wrong)
    name = chance.choice(("content-length",) * 9 + ("Content-Length", "content_length"))
    return f"{name}: {found}"


def _chunks(chance: random.Random, body: bytes) -> bytes:
    sent, at = b"", 0
    end = chance.choice((b"\r\n",) * 20 + (b"\n",))
    while at < len(body):
        size = chance.randint(1, len(body) - at)
        shown = f"{size:{chance.choice(('x', 'x', 'x', 'X', '04x'))}}"
        odd = (f"0x{shown}", f"{shown};a=b", f"{shown} ", f"+{shown}", f"{shown}g")
        shown = chance.choice((shown,) * 150 + odd)
        sent += shown.encode() + end + body[at : at + size] + end
        at += size
    return sent + chance.choice((b"0\r\n\r\n",) * 9 + (b"0\r\nx: y\r\n\r\n", b"0\n\n"))


Change = Callable[[random.Random, bytes], bytes]


def _without(chance: random.Random, sent: bytes) -> bytes:
    at = chance.randrange(len(sent) + 1)
    return sent[:at] + sent[at + chance.randint(1, 4) :]


def _with(chance: random.Random, sent: bytes) -> bytes:
    at = chance.randrange(len(sent) + 1)
    some = (b"\r", b"\n", b" ", b"\t", b":", b"\x00", b"0", b"\r\n", b"\xff")
    return sent[:at] + chance.choice(some) + sent[at:]


def _other(chance: random.Random, sent: bytes) -> bytes:
    at = chance.randrange(len(sent) + 1)
    return sent[:at] + chance.randbytes(1) + sent[at + 1 :]


def _again(chance: random.Random, sent: bytes) -> bytes:
    a, b = sorted(chance.randrange(len(sent) + 1) for _ in range(2))
    return sent[:b] + sent[a:b] + sent[b:]


def _cut(chance: random.Random, sent: bytes) -> bytes:
    return sent[: chance.randrange(len(sent) + 1)]


CHANGES: Sequence[Change] = (_without, _with, _other, _again, _cut)
