"""One watched journal: its newest rollout as a card, and all of its rollouts."""

import time
from typing import Any

from scripts.rollout.dashboard import cards, history
from scripts.rollout.dashboard.chronicle import Chronicle, Excerpt
from scripts.rollout.dashboard.history import Past
from scripts.rollout.dashboard.sources import Source
from scripts.rollout.errors import RolloutError
from scripts.rollout.journal.port import SharedJournal, Snapshot
from scripts.rollout.journal.saved import Saved
from scripts.rollout.report import summary
from scripts.rollout.steering import seen

# A look that is younger than this many intervals shows that a promoter is at work.
FRESH, FRESH_S = 2.0, 5.0
# What reading a journal may raise that somebody else wrote, or that a disk has damaged:
# its card says so, and the others are shown.
UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError)


class Watched:
    """A journal of a source, read when it has changed."""

    def __init__(self, source: Source, key: str) -> None:
        """Read nothing yet."""
        self.source, self.key, self.journal = source, key, source.journal(key)
        self.version = ""
        self.card: dict[str, Any] = {}
        self.ended: list[dict[str, Any]] = []
        self._excerpt = Excerpt()
        self.rollouts: Chronicle | Excerpt = self._excerpt
        self._read_version = ""
        self._saved: Saved | None = None
        self._is_at_work = True
        self._chronicle: Chronicle | None = None

    def refresh(self) -> bool:
        """Read what is new, if anything is; return whether it is."""
        if self.version == self._read_version and not self._has_turned():
            return False
        self._read_version = self.version
        where = self.source.where
        try:
            card = self._read()
            self.ended = self._rows()
        except (RolloutError, *UNREADABLE) as error:
            self._saved = None
            card = cards.fault(self.key, f"{type(error).__name__}: {error}")
        self.card = {**card, "where": where}
        return True

    def _rows(self) -> list[dict[str, Any]]:
        """Return the ended rollouts of this journal, for the page's history."""
        where = self.source.where
        return [
            {
                **history.shown(past, where, self.key),
                "id": f"{where}/{self.key}",
                "number": number,
            }
            for number, past in enumerate(self.rollouts.pasts)
            if past.verdict is not None
        ]

    def journal_now(self) -> tuple[SharedJournal, Saved]:
        """Return a journal for one request, and its last commit. Raises RolloutError.

        A journal object is one thread's.
        """
        journal = self.source.journal(self.key)
        saved = journal.load()
        if saved is None:
            raise RolloutError(f"{self.key}: its journal is gone")
        return journal, saved

    def _has_turned(self) -> bool:
        """Return whether a promoter has come or gone, which changes no journal."""
        saved = self._saved
        return saved is not None and self._looks(saved) != self._is_at_work

    def _looks(self, saved: Saved) -> bool:
        """Return whether a promoter is at work; a young look needs no question."""
        state = saved.state
        if time.time() - state.now < FRESH * state.interval + FRESH_S:
            return True
        return seen.is_at_work(self.journal, saved)

    def _read(self) -> dict[str, Any]:
        found = self.journal.snapshot()
        if found is None:
            raise RolloutError("its journal is gone")
        self._follow(found)
        saved = self._saved = found.saved
        self._is_at_work = self._looks(saved)
        idle_s = seen.idle_s(saved, is_at_work=self._is_at_work)
        policy = seen.policy_of(self.journal, saved)
        summed = summary.summary(policy, saved, idle_s)
        past = self.rollouts.pasts[-1] if self.rollouts.pasts else Past(0)
        return cards.card(summed, saved, past, found.unread)

    def _follow(self, found: Snapshot) -> None:
        """Read on in the whole journal; in the newest entries, if more is in them."""
        self.rollouts = self._excerpt
        whole = self._whole(found.saved.hash)
        if whole is None or whole.is_partial:
            self._excerpt.read(found.lines, found.saved)
        if whole is not None and whole.count >= self._excerpt.count:
            self.rollouts = whole

    def _whole(self, last: str) -> Chronicle | None:
        """Return the file's rollouts, None if there is none that ends with this."""
        path = self.source.file(self.key)
        if path is None:
            return None
        self._chronicle = self._chronicle or Chronicle(path)
        self._chronicle.read()
        return self._chronicle if self._chronicle.ends_with(last) else None
