"""The ports of the loop and of the commands to a rollout's journal."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from scripts.rollout.journal.saved import Saved
from scripts.rollout.state.actions import Request


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The last commit, the newest entries, and the requests not read by then."""

    saved: Saved
    lines: list[str]
    unread: list[Request]


class Journal(Protocol):
    """Keeps the state, the journal and the requests of a rollout."""

    def load(self, *, repair: bool = False) -> Saved | None:
        """Return the last commit, None before the first; optionally `repair` it."""

    def commit(self, saved: Saved, kind: str, body: dict[str, Any]) -> Saved:
        """Write the state and one journal line, before anything is done."""

    def requests(self, after: int) -> list[Request]:
        """Return people's requests, without the first `after`."""


class SharedJournal(Journal, Protocol):
    """A journal that several processes use: promoters and people's commands."""

    name: str

    def lock(self) -> AbstractContextManager[None]:
        """Be the only promoter until the block ends. Raises LockHeld."""

    def is_locked(self) -> bool:
        """Return whether a promoter works here now."""

    def ask(self, request: Request) -> None:
        """Leave a request for the promoter."""

    def tail(self) -> list[str]:
        """Return the newest entries."""

    def unsent(self) -> list[str]:
        """Return the messages that their receivers have not got."""

    def keep_unsent(self, lines: list[str]) -> None:
        """Keep these messages instead of those before."""

    def snapshot(self) -> Snapshot | None:
        """Return what all three are, None before the first commit."""
