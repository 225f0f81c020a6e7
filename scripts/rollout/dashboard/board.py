"""All rollouts as they are now, and what of them has changed since a version."""

import time
from threading import Lock
from typing import Any

from scripts.rollout.dashboard import history
from scripts.rollout.dashboard.sources import Source
from scripts.rollout.dashboard.watched import Watched
from scripts.rollout.errors import RolloutError
from scripts.rollout.report.story import Story

MOST_ENDED = 200  # rows of the history, the newest


class Board:
    """What the page shows; `refresh` reads it."""

    def __init__(self, sources: list[Source]) -> None:
        """Start with nothing found."""
        self._sources, self._lock = sources, Lock()
        self._watched: dict[str, Watched] = {}
        self._changed: dict[str, int] = {}
        self._troubles: list[str] = []
        self._ended: list[dict[str, Any]] = []
        self._ended_at = 0
        self.version = 0

    def refresh(self) -> None:
        """Read what has changed, and count it as the next version."""
        with self._lock:
            before = self._watched.keys(), self._troubles
            self._troubles = []
            found: dict[str, Watched] = {}
            for source in self._sources:
                found |= self._found(source)
            self._watched = found
            changed = [name for name, each in found.items() if each.refresh()]
            if changed or before != (found.keys(), self._troubles):
                self._next(changed)

    def _next(self, changed: list[str]) -> None:
        self.version += 1
        self._changed |= dict.fromkeys(changed, self.version)
        before, self._ended = self._ended, self._rows()
        if before != self._ended:
            self._ended_at = self.version

    def _found(self, source: Source) -> dict[str, Watched]:
        """Return a source's rollouts; the ones known before, while it is silent."""
        known = self._watched.items()
        before = {name: each for name, each in known if each.source is source}
        try:
            versions = source.versions()
        except RolloutError as error:
            self._troubles.append(f"{source.where} cannot be read: {error}")
            return before
        found = {}
        for key, version in versions.items():
            name = f"{source.where}/{key}"
            found[name] = before.get(name) or Watched(source, key)
            found[name].version = version
        return found

    def since(self, version: int) -> dict[str, Any] | None:
        """Return what has changed since a version, None if nothing has."""
        if version == self.version:
            return None
        watched = self._watched.items()
        newest = sorted(watched, key=lambda each: each[1].card["began"], reverse=True)
        changed = {
            name: each.card for name, each in newest if self._changed[name] > version
        }
        return {
            "version": self.version,
            "now": time.time(),
            "troubles": self._troubles,
            "order": [name for name, _ in newest],
            "cards": changed,
            "ended": self._ended if self._ended_at > version else None,
        }

    def _rows(self) -> list[dict[str, Any]]:
        rows = [
            {**history.shown(past, each.source.where), "id": name, "number": number}
            for name, each in self._watched.items()
            for number, past in enumerate(each.rollouts.pasts)
            if past.verdict is not None
        ]
        return sorted(rows, key=lambda row: -row["ended"])[:MOST_ENDED]

    def known(self, name: str) -> Watched:
        """Return a rollout that is shown. Raises RolloutError."""
        found = self._watched.get(name)
        if found is None:
            raise RolloutError(f"{name}: no such rollout is shown; reload the page")
        return found

    def story(self, name: str, number: int) -> Story:
        """Return the story of a rollout, -1 the newest. Raises RolloutError."""
        with self._lock:
            rollouts = self.known(name).rollouts
            if not -len(rollouts.pasts) <= number < len(rollouts.pasts):
                raise RolloutError(f"{name}: no rollout number {number} in its journal")
            return rollouts.story(number % len(rollouts.pasts))
