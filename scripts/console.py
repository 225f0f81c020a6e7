"""Progress for people: a spinner on a terminal, plain lines everywhere else."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def step(title: str) -> Iterator[None]:
    """Show that something is going on, and how long it took."""
    start = time.monotonic()
    if err.is_terminal:
        with err.status(title):
            yield
    else:
        err.print(f"{title} ...")
        yield
    err.print(f"{title}: {time.monotonic() - start:.1f} s", markup=False)
