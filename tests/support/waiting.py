"""Waiting for the thing itself, with a deadline, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

from scripts.local.processes import Child

Found = TypeVar("Found")
POLL_S = 0.05
# What is not there soon is asked for less often: on a cluster each question costs the
# API server as much as the rollout that is waited for.
SLOWER, SLOWEST_S = 1.2, 0.3
# Many times what it takes: a busy machine passes, and pytest does not end it first.
PATIENCE_S = 110.0


def until(
    is_so: Callable[[], Found],
    seconds: float = PATIENCE_S,
    shown: Callable[[], object] = lambda: "",
) -> Found:
    """What `is_so` returns once that is true; `shown` is in the message if never."""
    deadline, pause_s = time.monotonic() + seconds, POLL_S
    while not (found := is_so()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {shown()}"
        time.sleep(pause_s)
        pause_s = min(pause_s * SLOWER, SLOWEST_S)
    return found


def killed(child: Child) -> None:
    """SIGKILL a process, and wait until it is gone with the locks that it held."""
    child.kill()
    until(lambda: not child.is_alive())
