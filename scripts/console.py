"""Output for people: a spinner or a bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

WIDTH = 160


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = WIDTH
    return console


out = _console(stderr=False)
err = _console(stderr=True)


def table(content: Table) -> None:
    """Print a table as wide as its columns, so that names can be copied whole."""
    out.print(content, width=WIDTH, crop=False)


def progress() -> Progress:
    """Return a bar that is shown on a terminal only."""
    return Progress(console=err, transient=True, disable=not err.is_terminal)


@contextmanager
def step(title: str) -> Iterator[None]:
    """Show a spinner while the block runs, then how long the block took."""
    start = time.monotonic()
    if err.is_terminal:
        with err.status(title):
            yield
    else:
        err.print(f"{title} ...")
        yield
    err.print(f"{title}: {time.monotonic() - start:.1f} s", markup=False)
