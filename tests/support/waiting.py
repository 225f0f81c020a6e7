"""Waiting for the thing itself, with a deadline, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

from scripts.local.processes import Child

Found = TypeVar("Found")
POLL_S = 0.05
# Many times what it takes: a busy machine passes, and pytest does not end it first.
PATIENCE_S = 110.0


def until(
    is_so: Callable[[], Found],
    seconds: float = PATIENCE_S,
    shown: Callable[[], object] = lambda: "",
) -> Found:
    """What `is_so` returns once that is true; `shown` is in the message if never."""
    deadline = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {shown()}"
        time.sleep(POLL_S)
    return found


def killed(child: Child) -> None:
    """SIGKILL a process, and wait until it is gone with the locks that it held."""
    child.kill()
    until(lambda: not child.is_alive())
