"""Writes to a journal, then tells its listeners."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from scripts.rollout.journal.lines import whole, write
from scripts.rollout.journal.port import Journal
from scripts.rollout.journal.saved import Saved
from scripts.rollout.state.actions import Request

Listener = Callable[[Saved], None]


class Broadcast:
    """Wraps a journal and tells listeners of each commit."""

    def __init__(
        self, journal: Journal, copy: Listener | None, others: Sequence[Listener] = ()
    ) -> None:
        """Tell `copy`, which must miss no line, and `others` of each commit."""
        self._journal = journal
        self._copies = [copy] if copy else []
        self._others = others

    def load(self, *, repair: bool = False) -> Saved | None:
        """Return the last commit; with `repair`, tell `copy` again after a kill."""
        saved = self._journal.load(repair=repair)
        if saved is not None and repair:
            for copy in self._copies:
                copy(saved)
        return saved

    def commit(self, saved: Saved, kind: str, body: dict[str, Any]) -> Saved:
        """Write the entry, then tell the listeners."""
        after = self._journal.commit(saved, kind, body)
        for listener in (*self._copies, *self._others):
            listener(after)
        return after

    def requests(self, after: int) -> list[Request]:
        """Return people's requests, without the first `after`."""
        return self._journal.requests(after)


def copy_to(path: str | Path, say: Callable[[str], None]) -> Listener:
    """Return a listener that appends lines to a file, or prints them for "-".

    Lines for which the file has no room are kept and appended with the next one: a copy
    never ends the rollout.
    """
    waiting: list[str] = []

    def to_file(saved: Saved) -> None:
        waiting.append(saved.line)
        file = Path(path)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("ab", buffering=0) as lines, whole(lines):
                for line in waiting:
                    write(lines, line)
        except OSError as error:
            if len(waiting) == 1:
                say(f"the journal's copy waits: {file}: {error.strerror}")
        else:
            waiting.clear()

    def to_output(saved: Saved) -> None:
        print(saved.line, flush=True)

    return to_output if path == "-" else to_file
