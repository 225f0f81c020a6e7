"""Modules of ours as commands, each in a process that ends with its test."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from scripts.local.processes import ROOT

GRACE_S = 30.0
_started: "list[subprocess.Popen[str]]" = []


def run(
    *args: str, env: Mapping[str, str] | None = None, timeout_s: float = 110
) -> tuple[int, str]:
    """Run a module of ours to its end: exit code, and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", *args],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env={**os.environ, **(env or {})},
    )
    return done.returncode, done.stdout + done.stderr


def start(command: Sequence[str], **options: Any) -> "subprocess.Popen[str]":
    """Start a command that ^C ends; what is left of it ends with the test.

    SIGINT is ignored by what a shell starts in the background (`make test &`), and by
    its children, unless it is set while they are started.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(command, cwd=ROOT, text=True, **options)
    finally:
        signal.signal(signal.SIGINT, before)
    _started.append(process)
    return process


def end_started() -> None:
    """End what `start` has begun and a test has left; conftest.py calls it."""
    while _started:
        end(_started.pop())


def end(process: "subprocess.Popen[Any]") -> None:
    """End a process, by force if it must be, and close its pipes."""
    process.terminate()
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
