"""Writes to a journal, then tells its listeners."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

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


def copy_to(path: str | Path) -> Listener:
    """Return a listener that appends lines to a file, or prints them for "-"."""

    def to_file(saved: Saved) -> None:
        file = Path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as lines:
            lines.write(f"{saved.line}\n")

    def to_output(saved: Saved) -> None:
        print(saved.line, flush=True)

    return to_output if path == "-" else to_file
