"""Load from the other core: wrk for HTTP, h2load for gRPC."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.serving.servers import LOAD_CORE

UNITS = {"us": 1.0, "ms": 1e3, "s": 1e6}
SCRIPT = """
local bodies, at, made = {bodies}, 0, {{}}
local headers = {{["Content-Type"] = "application/json"}}
{host}
function init(_)
  for i, body in ipairs(bodies) do
    made[i] = wrk.format("POST", "{path}", headers, body)
  end
end
function request() at = at % #made + 1; return made[at] end
"""
PAUSE = "function delay() return math.random(0, {most}) end\n"


@dataclass(frozen=True, slots=True)
class Load:
    """What one run saw: requests/s, microseconds at two quantiles, bad answers."""

    rps: float
    p50_us: float
    p99_us: float
    bad: int


def wrk(
    folder: Path,
    url: str,
    path: str,
    bodies: Sequence[bytes],
    *,
    connections: int,
    seconds: float,
    most_pause_ms: int = 0,
    host: str = "",
) -> Load:
    """Ask by so many connections, each at once again or after a random pause."""
    texts = ",".join(json.dumps(body.decode()) for body in bodies)
    script = SCRIPT.format(
        bodies="{" + texts + "}",
        path=path,
        host=f'headers["Host"] = "{host}"' if host else "",
    )
    if most_pause_ms:
        script += PAUSE.format(most=most_pause_ms)
    file = folder / "wrk.lua"
    file.write_text(script)
    options = ["-t1", f"-c{connections}", f"-d{seconds:.0f}", "--timeout", "10"]
    found = _run("wrk", *options, "--latency", "-s", str(file), url)
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", found)
    return Load(
        float(_found(r"Requests/sec: +([\d.]+)", found)[0]),
        _us(*_found(r"50% +([\d.]+)(us|ms|s)", found)),
        _us(*_found(r"99% +([\d.]+)(us|ms|s)", found)),
        int(bad[1]) if bad else 0,
    )


def h2load(url: str, file: Path, *, connections: int, seconds: float) -> Load:
    """Unary gRPC calls of the message in `file`, one at a time a connection."""
    headers = ("-H", "content-type: application/grpc", "-H", "te: trailers")
    options = ["-D", f"{seconds:.0f}", "-c", str(connections), "-d", str(file)]
    found = _run("h2load", *options, *headers, url)
    good, total = _found(r"status codes: (\d+) 2xx, (\d+)", found)
    return Load(int(good) / seconds, 0.0, 0.0, int(total))


def needs() -> None:
    """Say what is missing. Raises RuntimeError."""
    packages = {"wrk": "wrk", "h2load": "nghttp2-client", "taskset": "util-linux"}
    for program, package in packages.items():
        if shutil.which(program) is None:
            raise RuntimeError(f"{program} is not here; Debian's package is {package}")
    if len(os.sched_getaffinity(0)) < 2:
        raise RuntimeError("two cores are needed: one serves, the other asks")


def _run(*command: str) -> str:
    return subprocess.run(
        ["taskset", "-c", LOAD_CORE, *command],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout


def _found(pattern: str, text: str) -> tuple[str, ...]:
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(f"no {pattern!r} in: {text}")
    return found.groups()


def _us(value: str, unit: str) -> float:
    return float(value) * UNITS[unit]
