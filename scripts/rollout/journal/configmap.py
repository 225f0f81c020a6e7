"""The state, the newest entries and the requests of one rollout in a ConfigMap.

Every write names the resourceVersion that it changes (optimistic locking), so of two
promoters one is refused before it acts. The whole chain does not fit into one object:
listeners keep it (`broadcast`), and `before` is the hash of the entry before the first
one that is kept here.
"""

import base64
import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from scripts.rollout.cluster.client import Cluster, Object, reference
from scripts.rollout.cluster.lease import Lease
from scripts.rollout.errors import (
    Conflict,
    JournalError,
    LockHeld,
    RemoteError,
    Unreachable,
)
from scripts.rollout.journal import chain, codec, entries
from scripts.rollout.journal.port import Snapshot
from scripts.rollout.journal.saved import Saved, restore
from scripts.rollout.state.actions import Request

STATE, ENTRIES, REQUESTS = "state.json.gz", "journal.jsonl", "requests.jsonl"
UNSENT = "unsent.jsonl"
# Far below the 1 MiB that an object may have, with room for state and requests.
KEPT_BYTES = 64 * 1024
# Writes that lose to another writer of the same object; ten in a row are a fault.
TRIES = 10


class ConfigMapJournal:
    """The ConfigMap `<name>-rollout` of a target, and the Lease of the same name."""

    def __init__(
        self, cluster: Cluster, namespace: str, name: str, holder: str, owner: str
    ) -> None:
        """Write and lock on behalf of `holder`; `owner` is the path of the owner."""
        self.name = f"{namespace}.{name}"
        self._cluster, self._object = cluster, f"{name}-rollout"
        self._folder = f"/api/v1/namespaces/{namespace}/configmaps"
        self._path = f"{self._folder}/{self._object}"
        self._owner = owner
        self._lease = Lease(cluster, namespace, self._object, holder)
        self._found: Object | None = None

    def __str__(self) -> str:
        """Return the kind and name of the object."""
        return f"ConfigMap {self._object}"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the Lease until the block ends. Raises LockHeld with the holder."""
        with self._lease.hold():
            yield

    def is_locked(self) -> bool:
        """Return whether a promoter holds the Lease now."""
        return self._lease.is_held()

    def load(self, *, repair: bool = False) -> Saved | None:
        """Return the last commit, None before the first; no write is ever partial."""
        del repair
        self._found = self._cluster.find(self._path)
        if self._found is None:
            return None
        return restore(_unpacked(self._found, str(self)), str(self))

    def commit(self, saved: Saved, kind: str, body: dict[str, Any]) -> Saved:
        """Replace what `saved` was loaded from. Raises LockHeld, RemoteError."""
        self._lease.renew()
        after = saved.extended(kind, body)
        for _ in range(TRIES):
            with suppress(Conflict):
                self._found = self._write(after)
                return after
            self._found = self._cluster.find(self._path)
            now = self._found["data"]["hash"] if self._found else chain.FIRST
            if now == after.hash:
                return after
            if now != saved.hash:
                raise LockHeld(f"{self}: another promoter has written to it meanwhile")
        raise Unreachable(f"{self}: changed {TRIES} times while it was written")

    def _write(self, after: Saved) -> Object:
        state = json.dumps(codec.encode(after), allow_nan=False)
        packed = gzip.compress(state.encode(), mtime=0)
        content: Object = {
            "data": self._readable(after),
            "binaryData": {STATE: base64.b64encode(packed).decode()},
        }
        if self._found is not None:
            return self._cluster.patch(self._path, self._found, content)
        content |= {"apiVersion": "v1", "kind": "ConfigMap", "metadata": self._owned()}
        return self._cluster.create(self._folder, content)

    def _readable(self, after: Saved) -> dict[str, str]:
        """Return the fields that `kubectl describe` shows, and the newest entries."""
        before = self._found["data"] if self._found else {}
        lines = [*before.get(ENTRIES, "").splitlines(), after.line]
        dropped = before.get("before", chain.FIRST)
        while sum(map(len, lines)) > KEPT_BYTES:
            dropped = json.loads(lines.pop(0))["hash"]
        state = after.state
        return {
            "canary": state.canary,
            "stable": state.stable,
            "phase": state.phase.value,
            "weight": str(state.weight),
            "reason": state.reason,
            "hash": after.hash,
            "before": dropped,
            ENTRIES: "".join(f"{line}\n" for line in lines),
        }

    def _owned(self) -> Object:
        """Return metadata with an owner, with which Kubernetes deletes the object."""
        owner = reference(self._cluster.get(self._owner))
        return {"name": self._object, "ownerReferences": [owner]}

    def ask(self, request: Request) -> None:
        """Leave a request for the promoter. Raises RemoteError."""
        line = entries.request_line(request)
        self._change(REQUESTS, lambda before: f"{before}{line}\n")

    def unsent(self) -> list[str]:
        """Return the messages that their receivers have not got. Raises RemoteError."""
        found = self._cluster.find(self._path)
        return found["data"].get(UNSENT, "").splitlines() if found else []

    def keep_unsent(self, lines: list[str]) -> None:
        """Keep these messages instead of those before. Raises RemoteError."""
        self._change(UNSENT, lambda _: "".join(f"{line}\n" for line in lines))

    def _change(self, key: str, changed: Callable[[str], str]) -> None:
        """Replace one of the texts. Raises RemoteError."""
        for _ in range(TRIES):
            found = self._cluster.get(self._path)
            content = changed(found["data"].get(key, ""))
            with suppress(Conflict):
                self._cluster.patch(self._path, found, {"data": {key: content}})
                return
        raise Unreachable(f"{self}: changed {TRIES} times while it was written")

    def tail(self) -> list[str]:
        """Return the newest entries, at most KEPT_BYTES of them. Raises RemoteError."""
        found = self._cluster.find(self._path)
        return found["data"][ENTRIES].splitlines() if found else []

    def requests(self, after: int) -> list[Request]:
        """Return all requests but the first `after`; none while the API is silent."""
        self._lease.renew()
        try:
            found = self._cluster.find(self._path)
        except RemoteError:
            return []
        return _requests(found, after)

    def snapshot(self) -> Snapshot | None:
        """Return all three from one read. Raises RemoteError."""
        saved = self.load()
        if saved is None or self._found is None:
            return None
        lines = self._found["data"][ENTRIES].splitlines()
        return Snapshot(saved, lines, _requests(self._found, saved.requests))


def _requests(found: Object | None, after: int) -> list[Request]:
    lines = found["data"].get(REQUESTS, "").splitlines() if found else []
    return entries.requests_of(lines, after)


def _unpacked(found: Object, name: str) -> bytes:
    """Return the state in a ConfigMap. Raises JournalError."""
    try:
        return gzip.decompress(base64.b64decode(found["binaryData"][STATE]))
    except (KeyError, ValueError, OSError, EOFError, zlib.error) as error:
        raise JournalError(f"{name}: {STATE} cannot be read: {error}") from error
