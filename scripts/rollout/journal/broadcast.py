"""A journal that is heard: each entry goes to listeners once it is written."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from scripts.rollout.journal.port import Journal
from scripts.rollout.journal.saved import Saved
from scripts.rollout.state.actions import Request

Listener = Callable[[Saved], None]


class Broadcast:
    """Another journal, and who listens to it."""

    def __init__(
        self, journal: Journal, copy: Listener | None, others: Sequence[Listener] = ()
    ) -> None:
        """Tell `copy`, which misses no line, and `others` what is committed."""
        self._journal = journal
        self._copies = [copy] if copy else []
        self._others = others

    def load(self, *, repair: bool = False) -> Saved | None:
        """The last commit, told once more: nobody knows whether it was before."""
        saved = self._journal.load(repair=repair)
        if saved is not None and repair:
            for copy in self._copies:
                copy(saved)
        return saved

    def commit(self, saved: Saved, kind: str, body: dict[str, Any]) -> Saved:
        """Write, then tell."""
        after = self._journal.commit(saved, kind, body)
        for listener in (*self._copies, *self._others):
            listener(after)
        return after

    def requests(self, after: int) -> list[Request]:
        """What people asked for."""
        return self._journal.requests(after)


def copy_to(path: str | Path) -> Listener:
    """Append every line to a file, or print it where that is "-"."""

    def to_file(saved: Saved) -> None:
        file = Path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as lines:
            lines.write(f"{saved.line}\n")

    def to_output(saved: Saved) -> None:
        print(saved.line, flush=True)

    return to_output if path == "-" else to_file
