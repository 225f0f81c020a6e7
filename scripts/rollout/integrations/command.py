"""Runs a hook's command, bounded in time and output, and ends all that it started."""

import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import IO

PART, PARTS = 4096, 4  # of the output the last ones are kept
LAST_S = 1.0  # for output after the end; who still holds the pipe is not waited for


def run(
    words: tuple[str, ...], message: Mapping[str, object], timeout_s: float
) -> tuple[int, bytes]:
    """Return exit code and the output's end. Raises TimeoutError, OSError.

    What the command left running, and what has not ended by then, is killed.
    """
    environment = {f"ROLLOUT_{key.upper()}": str(message[key]) for key in message}
    process = subprocess.Popen(
        words,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        process_group=0,
    )
    assert process.stdout is not None
    kept: deque[bytes] = deque(maxlen=PARTS)
    reader = threading.Thread(target=_keep, args=(process.stdout, kept), daemon=True)
    reader.start()
    try:
        code = process.wait(timeout_s)
    except subprocess.TimeoutExpired as late:
        raise TimeoutError from late
    finally:
        _end(process)
        reader.join(LAST_S)
    return code, b"".join(list(kept))


def _keep(output: IO[bytes], kept: deque[bytes]) -> None:
    """Read to the end, which comes when nobody holds the pipe any more."""
    with output:
        while part := os.read(output.fileno(), PART):
            kept.append(part)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and all of its group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
