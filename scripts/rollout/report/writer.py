"""Writes the page of a rollout: once from a journal, or anew after each look."""

from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson

from scripts.rollout.errors import JournalError
from scripts.rollout.journal import chain
from scripts.rollout.journal.saved import Saved
from scripts.rollout.report.page import page
from scripts.rollout.report.story import Story


def write_report(lines: list[str], path: Path) -> None:
    """Write a journal's page to `path`. Raises JournalError where its chain is broken.

    A page travels without the journal, so nobody could check a warning on it; whoever
    has the journal reads in the error from which line on it cannot be trusted.
    """
    records, verified = chain.part(lines) if lines else ([], (0, 0))
    story = tell(records)
    if not story.policy:
        raise JournalError("no rollout begins in it")
    _replace(path, page(story, verified))


def tell(records: Iterable[dict[str, Any]]) -> Story:
    """The story of the last rollout in a journal's entries."""
    story = Story()
    for record in records:
        story = story.add(record)
    return story


class Report:
    """Keeps a page beside a journal's file, written anew after each look.

    No page where the file holds no beginning, as after an `undo` from another machine.
    """

    def __init__(self, journal: Path, say: Callable[[str], None]) -> None:
        """What the file holds already is read when the first entry comes."""
        self._say = say
        self._journal, self.path = journal, journal.with_name("report.html")
        self._story: Story | None = None

    def __call__(self, saved: Saved) -> None:
        """Add the entry that was just written; replace the page at once."""
        if self._story is None:
            with self._journal.open(encoding="utf-8") as lines:
                # A promoter that goes on writes its last entry to a copy once more.
                self._story = tell(orjson.loads(line) for line, _ in groupby(lines))
        else:
            self._story = self._story.add(orjson.loads(saved.line))
        if saved.kind in ("look", "undo") and self._story.policy:
            self._write(self._story)

    def _write(self, story: Story) -> None:
        """A report that cannot be written ends no rollout; a line says why."""
        try:
            _replace(self.path, page(story))
        except OSError as error:
            self._say(f"no report: {self.path}: {error.strerror}")


def _replace(path: Path, content: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(content, encoding="utf-8")
    new.replace(path)
