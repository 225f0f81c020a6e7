"""`watch` in a real terminal (Debian's package tmux), as wide as people have them."""

import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from scripts.local.processes import ROOT
from tests.support import debian
from tests.support.shown import Shown
from tests.support.waiting import until

NEEDS = ("tmux", "libevent-core-2.1-7", "libutempter0")
Tmux = Callable[..., str]


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    """A tmux of this test's own."""
    program = str(debian.program("usr/bin/tmux", *NEEDS))
    own = [program, "-f", "/dev/null", "-S", str(tmp_path / "tmux")]

    def run(*args: str) -> str:
        done = subprocess.run([*own, *args], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    yield run
    subprocess.run([*own, "kill-server"], capture_output=True)


def test_names_and_numbers_are_whole_at_80_120_and_200_columns(
    tmp_path: Path, tmux: Tmux
) -> None:
    world = Shown(tmp_path, "intent").looks(8)
    watch = ["watch", "intent", "--local", "--dir", str(tmp_path)]
    command = shlex.join([sys.executable, "-m", "scripts.canary", *watch])
    with world.journal.lock():
        tmux("new-session", "-d", "-x", "80", "-y", "24", command)
        for width, height in ((80, 24), (120, 30), (200, 50)):
            tmux("resize-window", "-x", str(width), "-y", str(height))
            lines = until(partial(_drawn, tmux, width))
            assert len(lines) <= height
            for metric in ("errors", "latency", "labels"):
                (row, *_) = (line for line in lines if line.startswith(metric))
                assert row.count("%") >= 2, row
            assert any("50 % to r-00002" in line for line in lines), lines


def _drawn(tmux: Tmux, width: int) -> list[str]:
    """The lines on the screen, once its picture is as wide as that."""
    shown = tmux("capture-pane", "-p").rstrip().splitlines()
    whole = "\n".join(shown)
    assert "…" not in whole
    assert max(map(len, shown), default=0) <= width
    is_wide = tmux("display-message", "-p", "#{pane_width}").strip() == str(width)
    return shown if is_wide and "waits for" in whole else []
