"""Writes a rollout's page: once from a journal, or anew after each look."""

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
    """Write a journal's page to `path`. Raises JournalError if its chain is broken.

    A page travels without its journal, so a reader could not check a warning on it. The
    error names the line from which on the journal cannot be trusted.
    """
    _replace(path, page(*verified(lines)))


def verified(lines: list[str]) -> tuple[Story, tuple[int, int]]:
    """Return a journal's story, and which lines were verified. Raises JournalError."""
    records, known = chain.verify_part(lines) if lines else ([], (0, 0))
    story = tell(records)
    if not story.policy:
        raise JournalError("no rollout begins in it")
    return story, known


def tell(records: Iterable[dict[str, Any]]) -> Story:
    """Return the story of the last rollout in a journal's entries."""
    story = Story()
    for record in records:
        story = story.add(record)
    return story


class Report:
    """Keeps a page beside a journal's file and rewrites it after each look.

    There is no page if the file has no beginning of a rollout, as after an `undo` from
    another machine.
    """

    def __init__(self, journal: Path, say: Callable[[str], None]) -> None:
        """Prepare; the file's entries are read when the first new entry comes."""
        self._say = say
        self._journal, self.path = journal, journal.with_name("report.html")
        self._story: Story | None = None

    def __call__(self, saved: Saved) -> None:
        """Add the entry that was just written, and replace the page."""
        if self._story is None:
            with self._journal.open(encoding="utf-8") as lines:
                # A promoter that goes on writes its last entry to a copy once more.
                self._story = tell(orjson.loads(line) for line, _ in groupby(lines))
        else:
            self._story = self._story.add(orjson.loads(saved.line))
        if saved.kind in ("look", "undo") and self._story.policy:
            self._write(self._story)

    def _write(self, story: Story) -> None:
        """Write the page; report an OSError in a line instead of ending the rollout."""
        try:
            _replace(self.path, page(story))
        except OSError as error:
            self._say(f"no report: {self.path}: {error.strerror}")


def _replace(path: Path, content: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(content, encoding="utf-8")
    new.replace(path)
