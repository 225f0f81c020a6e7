"""What was counted of each revision so far, and up to when: kept in one file.

Whoever is killed between this file and the journal goes on with both: a counter that
the journal has not seen is only larger than the one that it has.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from scripts.rollout.errors import Unreachable

Counts = Mapping[str, Mapping[str, float]]
"""Revision to what was counted."""


@dataclass(frozen=True, slots=True)
class Book:
    """`upto`: the watermark, the end of the last period that was read; 0: none was.

    `began`: the first watermark. `split`: the weights in force when they were looked
    at last, `since` when they have been the same.
    """

    upto: float = 0.0
    began: float = 0.0
    split: tuple[float, ...] = ()
    since: float = 0.0
    counted: Counts = field(default_factory=dict)

    def settled(self, split: Sequence[float], now: float, *, is_moving: bool) -> "Book":
        """Return the book after a look at the weights in force.

        While they move nobody knows at which weight a request was routed.
        """
        if tuple(split) == self.split and not is_moving:
            return self
        return replace(self, split=tuple(split), since=now)

    def added(self, gained: Counts, upto: float) -> "Book":
        """Return the book with the counts of the periods up to a new watermark."""
        known = {name: dict(each) for name, each in self.counted.items()}
        for name, each in gained.items():
            sums = known.setdefault(name, {})
            for key, value in each.items():
                sums[key] = sums.get(key, 0.0) + value
        return replace(self, upto=upto, began=self.began or upto, counted=known)


class Ledger:
    """The book in its file."""

    def __init__(self, file: Path) -> None:
        """Go on with what the file knows; one that cannot be read is begun anew."""
        self._file = file
        try:
            self.book = msgspec.json.decode(file.read_bytes(), type=Book)
        except (FileNotFoundError, msgspec.DecodeError):
            self.book = Book()

    def keep(self, book: Book) -> None:
        """Replace the book. Raises Unreachable where it cannot be written."""
        if book == self.book:
            return
        new = self._file.with_suffix(".new")
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new.write_bytes(msgspec.json.encode(book))
            os.replace(new, self._file)
        except OSError as error:
            raise Unreachable(f"{new}: {error.strerror}") from error
        self.book = book
