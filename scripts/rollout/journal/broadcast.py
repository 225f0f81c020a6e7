"""A journal that is heard: each entry goes to listeners once it is written."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson

from scripts.rollout.journal.port import Journal
from scripts.rollout.journal.saved import Saved
from scripts.rollout.report import page
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


def told(lines: Iterable[str]) -> page.Story:
    """The story of the last rollout in a journal's lines."""
    story = page.Story()
    for line in lines:
        story = story.add(orjson.loads(line))
    return story


class Report:
    """Keeps a page beside a journal's file, written anew after each look.

    None where the file holds no beginning, as after an `undo` from another machine.
    """

    def __init__(self, journal: Path, say: Callable[[str], None]) -> None:
        """What the file holds already is read when the first entry comes."""
        self._say = say
        self._journal, self.path = journal, journal.with_name("report.html")
        self._story: page.Story | None = None

    def __call__(self, saved: Saved) -> None:
        """Add the entry that was just written; replace the page at once."""
        if self._story is None:
            with self._journal.open(encoding="utf-8") as lines:
                self._story = told(lines)
        else:
            self._story = self._story.add(orjson.loads(saved.line))
        if saved.kind in ("look", "undo") and self._story.policy:
            self._write(self._story)

    def _write(self, story: page.Story) -> None:
        """No rollout ends because its report cannot be written; that is said."""
        try:
            write(story, self.path)
        except OSError as error:
            self._say(f"no report: {self.path}: {error.strerror}")


def write(story: page.Story, path: Path) -> None:
    """Put a page in place of the one before."""
    new = path.with_suffix(".new")
    new.write_text(page.page(story), encoding="utf-8")
    new.replace(path)
