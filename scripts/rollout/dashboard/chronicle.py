"""The rollouts of one journal: of a file as it grows, or of its newest lines."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from scripts.rollout.dashboard.history import Past
from scripts.rollout.journal.saved import Saved
from scripts.rollout.report.story import Story
from scripts.rollout.report.writer import tell

MOST_ENTRIES = 1000  # of a cluster's journal: nearly three hours of looks


class Rollouts:
    """Those of a journal, oldest first, as far as it is here."""

    pasts: list[Past]

    @property
    def count(self) -> int:
        """Return how many there are whose beginning is known."""
        return sum(past.began is not None for past in self.pasts)

    @property
    def is_partial(self) -> bool:
        """Return whether it begins in the middle of a rollout."""
        return self.count < len(self.pasts)


class Excerpt(Rollouts):
    """The rollouts in a journal's newest lines, where the whole is not here.

    Those that were read are kept, so whoever goes on looking sees more than the newest.
    `start` and `end` of a rollout are the numbers of its entries.
    """

    def __init__(self) -> None:
        """Nothing is read yet."""
        self.pasts: list[Past] = []
        self._entries: list[dict[str, Any]] = []

    def read(self, lines: list[str], saved: Saved) -> None:
        """Add what is new; begin anew where that does not go on from what is known.

        `saved` names the last rollout, whose first lines may be gone.
        """
        found = [orjson.loads(line) for line in lines]
        hashes = [entry["hash"] for entry in found]
        last = self._entries[-1]["hash"] if self._entries else ""
        if last not in hashes or len(self._entries) > MOST_ENTRIES:
            self.pasts, self._entries, last = [], [], ""
        for entry in found[hashes.index(last) + 1 if last else 0 :]:
            number = len(self._entries)
            self._entries.append(entry)
            _add(self.pasts, number, number + 1, entry)
        if self.pasts:
            state = saved.state
            names = state.canary, state.stable, state.began
            self.pasts[-1].named(*names, saved.policy)

    def story(self, number: int) -> Story:
        """Return the story of a rollout, as far as it is here."""
        past = self.pasts[number]
        return tell(self._entries[past.start : past.end])


class Chronicle(Rollouts):
    """The rollouts in a journal's file, oldest first; no line is read twice."""

    def __init__(self, path: Path) -> None:
        """Prepare; nothing is read yet."""
        self._path = path
        self._begin_anew()

    def _begin_anew(self) -> None:
        self.pasts: list[Past] = []
        self._lines, self._hash = _Lines(self._path), ""
        self._told: dict[int, tuple[_Lines, Story]] = {}

    def read(self) -> None:
        """Add what the file has gained; begin anew where it was replaced."""
        if self._lines.is_shorter():
            self._begin_anew()
        for start, entry in self._lines.new():
            _add(self.pasts, start, self._lines.at, entry)
            self._hash = entry["hash"]

    def ends_with(self, digest: str) -> bool:
        """Return whether the last entry that was read is this one."""
        return self._hash == digest

    def story(self, number: int) -> Story:
        """Return the story of a rollout so far, told on from where it was."""
        past = self.pasts[number]
        lines, story = self._told.get(number) or (
            _Lines(self._path, past.start),
            Story(),
        )
        for _, entry in lines.new(past.end):
            story = story.add(entry)
        self._told[number] = lines, story
        return story


class _Lines:
    """The entries of a file from the byte `at` on, which moves as they are read."""

    def __init__(self, path: Path, at: int = 0) -> None:
        self._path, self.at = path, at

    def is_shorter(self) -> bool:
        return self._path.is_file() and self._path.stat().st_size < self.at

    def new(self, end: int | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield each whole line's first byte, and its entry; up to byte `end`."""
        try:
            with self._path.open("rb") as file:
                file.seek(self.at)
                read = file.read() if end is None else file.read(end - self.at)
        except FileNotFoundError:
            return
        for line in read.splitlines(keepends=True):
            if not line.endswith(b"\n"):
                return  # it is being written
            start, self.at = self.at, self.at + len(line)
            yield start, orjson.loads(line)


def _add(pasts: list[Past], start: int, end: int, entry: dict[str, Any]) -> None:
    """Add an entry to the last rollout, or begin the next one with it."""
    if entry["kind"] == "begin" or not pasts:
        pasts.append(Past(start))
    pasts[-1].end = end
    pasts[-1].add(entry)
