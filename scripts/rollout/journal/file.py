"""The state, the journal and the requests of one rollout in a folder.

A commit replaces the state, which carries its own journal line, and then appends that
line; after a kill in between, the next start appends it. So state and journal never
differ, and nothing is acted upon that is not on disk.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TextIO

from scripts.rollout.errors import JournalError, LockHeld, Unreachable
from scripts.rollout.journal import chain, codec, entries
from scripts.rollout.journal.lines import end, whole, write
from scripts.rollout.journal.port import Snapshot
from scripts.rollout.journal.saved import Saved, restore
from scripts.rollout.state.actions import Request

# `is_locked` shares the lock for an instant; a promoter keeps it for longer than that.
LOCK_TRIES, LOCK_PAUSE_S = 3, 0.05
# A few dozen entries at the end, so that the whole journal need not be read.
TAIL_BYTES = 64 * 1024


class FileJournal:
    """The files of one InferenceService's rollouts."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`, which the first write creates."""
        self.folder, self.name = folder, folder.name
        self.path = folder / "journal.jsonl"
        self._state = folder / "state.json"
        self._requests = folder / "requests.jsonl"
        self._unsent = folder / "unsent.jsonl"

    @classmethod
    def of(cls, folder: Path, key: str) -> "FileJournal":
        """Return the journal of target `key` below a state folder."""
        return cls(folder.resolve() / "rollouts" / key)

    def __str__(self) -> str:
        """Return the folder."""
        return str(self.folder)

    def _make_folder(self) -> None:
        """Make the folder, for its owner alone."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the folder until the block ends. Raises LockHeld with the holder."""
        self._make_folder()
        with (self.folder / "lock").open("a+") as file:
            if not _has_locked(file):
                file.seek(0)
                holder = file.read().strip() or "unknown"
                raise LockHeld(
                    f"another promoter, process {holder}, works on {self.name}; "
                    "use status, or end it first"
                )
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    def is_locked(self) -> bool:
        """Return whether a promoter works here now; whoever asks writes nothing."""
        try:
            with (self.folder / "lock").open(encoding="utf-8") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return False
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True

    def load(self, *, repair: bool = False) -> Saved | None:
        """Return the last commit, None before the first. Raises JournalError.

        `repair` appends a line that a kill has cut off; only the holder of the lock may
        repair.
        """
        saved = self._read()
        if saved is not None and repair:
            self._repair(saved)
        if saved is None and self.path.exists():
            raise JournalError(
                f"{self._state} is gone, the journal beside it is not; put it back, or "
                f"move {self.path} away to begin anew"
            )
        return saved

    def _read(self) -> Saved | None:
        try:
            return restore(self._state.read_bytes(), str(self._state))
        except FileNotFoundError:
            return None

    def _repair(self, saved: Saved) -> None:
        """Cut a torn line off, check the chain, append a missing last line."""
        text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        whole, _, torn = text.rpartition("\n")
        if torn:
            with self.path.open("r+b") as file:
                file.truncate(len(f"{whole}\n".encode()) if whole else 0)
        lines = whole.splitlines()
        try:
            for _ in chain.verify(lines):
                pass
        except JournalError as error:
            raise JournalError(f"{self.path}: {error}") from error
        last = json.loads(lines[-1])["hash"] if lines else chain.FIRST
        if last == saved.hash:
            return
        if chain.link(last, _rest(saved.line)) != (saved.line, saved.hash):
            raise JournalError(
                f"{self.path}: ends before the state does; lines were removed"
            )
        with self._asked():
            self._append(saved.line)

    def commit(self, saved: Saved, kind: str, body: dict[str, Any]) -> Saved:
        """Write the state, then its line, before anything is done.

        Raises Unreachable where the disk is full, say; it may be tried again.
        """
        after = saved.extended(kind, body)
        with self._asked():
            self._write(after)
        return after

    @contextmanager
    def _asked(self) -> Iterator[None]:
        """Raise Unreachable for what a disk refuses: it may have room again."""
        try:
            yield
        except OSError as error:
            raise Unreachable(f"{self.folder}: {error.strerror}") from error

    def _write(self, after: Saved) -> None:
        self._make_folder()
        _replace(self._state, json.dumps(codec.encode(after), allow_nan=False))
        self._append(after.line)

    def _append(self, line: str) -> None:
        """Append a line, whole or not at all: what a full disk took is cut off."""
        with self.path.open("ab", buffering=0) as file, whole(file):
            write(file, line)
            _sync(file)

    def ask(self, request: Request) -> None:
        """Leave a request for the promoter."""
        self._make_folder()
        with self._requests.open("ab+", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            with whole(file):
                end(file)
                write(file, entries.request_line(request))
            _sync(file)

    def tail(self) -> list[str]:
        """Return the newest entries, at most TAIL_BYTES of them."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            file.seek(max(self.path.stat().st_size - TAIL_BYTES, 0))
            whole = file.read().rpartition(b"\n")[0].decode(errors="replace")
        return [line for line in whole.splitlines() if line.startswith(chain.HEAD)]

    def snapshot(self) -> Snapshot | None:
        """Return the last commit, the newest entries and the unread requests."""
        saved = self.load()
        if saved is None:
            return None
        return Snapshot(saved, self.tail(), self.requests(saved.requests))

    def requests(self, after: int) -> list[Request]:
        """Return all requests but the first `after`."""
        try:
            text = self._requests.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return []
        return entries.requests_of(text.splitlines(), after)

    def unsent(self) -> list[str]:
        """Return the messages that their receivers have not got."""
        try:
            return self._unsent.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []

    def keep_unsent(self, lines: list[str]) -> None:
        """Keep these messages instead of those before. Raises Unreachable."""
        with self._asked():
            if lines:
                _replace(self._unsent, "".join(f"{line}\n" for line in lines))
            else:
                self._unsent.unlink(missing_ok=True)


def _replace(path: Path, content: str) -> None:
    temporary = path.with_suffix(".new")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(content)
        _sync(file)
    temporary.replace(path)


def _has_locked(file: TextIO) -> bool:
    """Take the lock, waiting out the instant for which `is_locked` shares it."""
    for _ in range(LOCK_TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOCK_PAUSE_S)
        else:
            return True
    return False


def _rest(line: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(line)
    content.pop("hash")
    return content


def _sync(file: IO[Any]) -> None:
    file.flush()
    os.fsync(file.fileno())
