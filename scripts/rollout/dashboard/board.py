"""All rollouts as they are now, and what of them has changed since a version."""

import time
from collections.abc import Iterable
from threading import Lock
from typing import Any

from scripts.rollout.dashboard.sources import Source
from scripts.rollout.dashboard.watched import Watched
from scripts.rollout.errors import RolloutError
from scripts.rollout.report.story import Story

MOST_ENDED = 200  # rows of the history, the newest


class Shelf:
    """The rollouts of one source. Sources do not wait for each other."""

    def __init__(self, source: Source) -> None:
        """Start with nothing found."""
        self.source, self.lock = source, Lock()
        self.watched: dict[str, Watched] = {}
        self.trouble = ""

    def read(self) -> tuple[list[str], bool]:
        """Return the names of what has changed, and whether anything else has."""
        before = self.watched.keys(), self.trouble
        self.watched = self._found()
        changed = [name for name, each in self.watched.items() if each.refresh()]
        return changed, before != (self.watched.keys(), self.trouble)

    def _found(self) -> dict[str, Watched]:
        """Return what is there; what was there before, while the source is silent."""
        where, found = self.source.where, dict[str, Watched]()
        try:
            versions = self.source.versions()
        except (RolloutError, OSError) as error:
            self.trouble = f"{where} cannot be read: {error}"
            return self.watched
        self.trouble = ""
        for key, version in versions.items():
            name = f"{where}/{key}"
            found[name] = self.watched.get(name) or Watched(self.source, key)
            found[name].version = version
        return found


class Board:
    """What the page shows; `refresh` reads one shelf of it."""

    def __init__(self, sources: Iterable[Source]) -> None:
        """Start with nothing found."""
        self.shelves = [Shelf(each) for each in sources]
        self._lock = Lock()
        self._changed: dict[str, int] = {}
        self._ended: list[dict[str, Any]] = []
        self._ended_at = self.version = 0

    def refresh(self, shelf: Shelf) -> None:
        """Read what has changed, and count it as the next version."""
        with shelf.lock:
            changed, is_more = shelf.read()
        if changed or is_more:
            with self._lock:
                self._next(changed)

    def _next(self, changed: list[str]) -> None:
        self._changed |= dict.fromkeys(changed, self.version + 1)
        rows = [row for each in self._watched().values() for row in each.ended]
        newest = sorted(rows, key=lambda row: -row["ended"])[:MOST_ENDED]
        if newest != self._ended:
            self._ended, self._ended_at = newest, self.version + 1
        self.version += 1

    def _watched(self) -> dict[str, Watched]:
        found: dict[str, Watched] = {}
        for shelf in self.shelves:
            found |= shelf.watched
        return found

    def since(self, version: int) -> dict[str, Any] | None:
        """Return what has changed since a version, None if nothing has."""
        with self._lock:
            if version == self.version:
                return None
            known = ((name, each.card) for name, each in self._watched().items())
            cards = {name: card for name, card in known if name in self._changed}
            order = sorted(cards, key=lambda name: cards[name]["began"], reverse=True)
            return {
                "version": self.version,
                "now": time.time(),
                "troubles": [each.trouble for each in self.shelves if each.trouble],
                "order": order,
                "cards": {
                    name: cards[name] for name in order if self._changed[name] > version
                },
                "ended": self._ended if self._ended_at > version else None,
            }

    def known(self, name: str) -> Watched:
        """Return a rollout that is shown. Raises RolloutError."""
        found = self._watched().get(name)
        if found is None:
            raise RolloutError(f"{name}: no such rollout is shown; reload the page")
        return found

    def story(self, name: str, number: int) -> Story:
        """Return the story of a rollout, -1 the newest. Raises RolloutError."""
        found = self.known(name)
        with next(each.lock for each in self.shelves if each.source is found.source):
            pasts = found.rollouts.pasts
            if not -len(pasts) <= number < len(pasts):
                raise RolloutError(f"{name}: no rollout number {number} in its journal")
            return found.rollouts.story(number % len(pasts))
