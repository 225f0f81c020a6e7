"""A Lease that lets one promoter work at a time.

A promoter that finds the Lease held waits for its duration and takes it only if it was
not renewed meanwhile, so clocks need not agree. The Lease keeps promoters from
starting; the journal's resourceVersion stops one that slept through its own Lease.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

from scripts.rollout.cluster.client import Cluster, Object
from scripts.rollout.errors import Conflict, LockHeld, RemoteError, Unreachable

# kubernetes.leaderelection would save 60 of these lines. It works by threads and
# callbacks, without a block that holds or a way to ask who does, and what keeps two
# promoters from acting, the journal's resourceVersion, would stay here anyway.

# The duration that Kubernetes' own controllers use.
DURATION_S = 15
RENEW_S = 5.0  # a third of DURATION_S, so that one or two renewals may fail
TRIES = 3  # writes that lose to another one before the Lease is taken to be held
POLL_S = 1.0  # the delay until a successor notices that the holder has gone
TIME = "%Y-%m-%dT%H:%M:%S.%fZ"


class Lease:
    """The Lease `name`, on behalf of one holder."""

    def __init__(
        self, cluster: Cluster, namespace: str, name: str, holder: str
    ) -> None:
        """Prepare; no request is sent before `hold`."""
        self._cluster, self._name, self._holder = cluster, name, holder
        self._folder = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._path = f"{self._folder}/{name}"
        self._renewed = 0.0
        self._written = ""

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the Lease until the block ends. Raises LockHeld, RemoteError."""
        self._take(self._free())
        try:
            yield
        except LockHeld:
            self._renewed = 0.0  # the twin that works on has it, under the same name
            raise
        finally:
            self._release()

    def _take(self, found: Object | None) -> None:
        """Write the Lease that was found free. Raises LockHeld, RemoteError.

        A conflict tells only that this write is too late, be it after itself, sent
        twice on its way: as each try may be.
        """
        for _ in range(TRIES):
            with suppress(Conflict):
                self._write(found)
                return
            found = self._cluster.find(self._path)
            if found is not None and self._wrote(found):
                self._renewed = time.monotonic()
                return
            if found is not None and not self._may_write(found):
                raise self._is_held(found)
        raise Unreachable(f"the Lease {self._name} is free, and each write conflicts")

    def _release(self) -> None:
        if self._renewed:
            with suppress(RemoteError):  # an unreleased Lease expires
                found = self._cluster.find(self._path)
                if found is not None and _holder(found) == self._holder:
                    self._write(found, holder="")
        self._renewed = 0.0

    def renew(self) -> None:
        """Renew the Lease if it is held. Raises LockHeld if another holder has it."""
        if not self._renewed or time.monotonic() - self._renewed < RENEW_S:
            return
        with suppress(RemoteError):  # a later renewal may still come in time
            found = self._cluster.find(self._path)
            if found is not None and not self._may_write(found):
                raise self._is_held(found)
            self._write(found)

    def _may_write(self, found: Object) -> bool:
        return _holder(found) in ("", self._holder)

    def _wrote(self, found: Object) -> bool:
        is_ours = _holder(found) == self._holder
        return is_ours and found["spec"]["renewTime"] == self._written

    def is_held(self) -> bool:
        """Return whether any holder has the Lease now, by this machine's clock."""
        found = self._cluster.find(self._path)
        if found is None or not _holder(found):
            return False
        renewed = datetime.strptime(found["spec"]["renewTime"], TIME)
        age = datetime.now(UTC) - renewed.replace(tzinfo=UTC)
        return age < timedelta(seconds=DURATION_S)

    def _free(self) -> Object | None:
        """Wait until no other holder has the Lease; return it, None if none exists."""
        found = self._cluster.find(self._path)
        deadline = time.monotonic() + DURATION_S
        while found is not None and not self._may_write(found):
            now = self._cluster.find(self._path)
            if now is None:
                return None
            if now["spec"]["renewTime"] != found["spec"]["renewTime"]:
                raise self._is_held(now)
            if time.monotonic() > deadline:
                return now
            time.sleep(POLL_S)
        return found

    def _write(self, found: Object | None, holder: str | None = None) -> None:
        """Write on the resourceVersion that was found: of two writers one fails.

        Raises Conflict for that one.
        """
        self._written = datetime.now(UTC).strftime(TIME)
        spec = {
            "holderIdentity": self._holder if holder is None else holder,
            "leaseDurationSeconds": DURATION_S,
            "renewTime": self._written,
        }
        if found is None:
            kind = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
            content = {**kind, "metadata": {"name": self._name}, "spec": spec}
            self._cluster.create(self._folder, content)
        else:
            self._cluster.patch(self._path, found, {"spec": spec})
        self._renewed = time.monotonic()

    def _is_held(self, found: Object) -> LockHeld:
        return LockHeld(
            f"another promoter, {_holder(found)}, holds the Lease {self._name}; use "
            "status, or end it first"
        )


def _holder(found: Object) -> str:
    return str(found["spec"].get("holderIdentity") or "")
