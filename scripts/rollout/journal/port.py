"""Where a rollout is written down, as the loop and the verbs need it."""

from contextlib import AbstractContextManager
from typing import Any, Protocol

from scripts.rollout.journal.saved import Saved
from scripts.rollout.state.actions import Request


class Journal(Protocol):
    """Where state, audit and requests live."""

    def load(self, *, repair: bool = False) -> Saved | None:
        """The last commit, None before the first; `repair` the audit if asked to."""

    def commit(self, saved: Saved, kind: str, body: dict[str, Any]) -> Saved:
        """Put state and one line of audit on disk, before anything is done."""

    def requests(self, after: int) -> list[Request]:
        """What people asked for, without the first `after` requests."""


class SharedJournal(Journal, Protocol):
    """A journal that people and other promoters meet at."""

    name: str

    def lock(self) -> AbstractContextManager[None]:
        """Be the only promoter until the block ends. Raises LockHeld."""

    def is_locked(self) -> bool:
        """Whether a promoter works here now."""

    def ask(self, request: Request) -> None:
        """Leave a request for the promoter."""

    def tail(self) -> list[str]:
        """The last entries."""
