"""Modules of ours as commands, in a process of their own."""

import os
import subprocess
import sys
from collections.abc import Mapping

from scripts.local.processes import ROOT


def run(*args: str, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run a module of ours to its end: exit code, and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", *args],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        env={**os.environ, **(env or {})},
    )
    return done.returncode, done.stdout + done.stderr
