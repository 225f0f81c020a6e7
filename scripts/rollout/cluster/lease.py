"""A Lease of a cluster: who promotes, and until when nobody else may.

Whoever finds it held waits for as long as it lasts and takes it only if it was not
renewed meanwhile, so clocks need not agree. It keeps promoters from starting; one that
slept through its own lease is stopped by the journal, which no longer is as it left it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

from scripts.rollout.cluster.client import Cluster, Object
from scripts.rollout.errors import Conflict, LockHeld, RemoteError

# kubernetes.leaderelection would save 60 of these lines. It works by threads and
# callbacks, without a block that holds or a way to ask who does, and what keeps two
# promoters from acting, the journal's resourceVersion, would stay here anyway.

# Kubernetes' own controllers hold a Lease as long.
DURATION_S = 15
RENEW_S = 5.0  # a third of it, so that one or two may fail
POLL_S = 1.0  # how late a successor notices that the holder has gone
TIME = "%Y-%m-%dT%H:%M:%S.%fZ"


class Lease:
    """The Lease `name`, on behalf of one holder."""

    def __init__(
        self, cluster: Cluster, namespace: str, name: str, holder: str
    ) -> None:
        """Nothing is asked before it is held."""
        self._cluster, self._name, self._holder = cluster, name, holder
        self._folder = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._path = f"{self._folder}/{name}"
        self._renewed = 0.0

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold it until the block ends. Raises LockHeld, RemoteError."""
        self._write(self._free())
        try:
            yield
        finally:
            with suppress(RemoteError, LockHeld):  # then it ends by itself
                found = self._cluster.find(self._path)
                if found is not None and _holder(found) == self._holder:
                    self._write(found, holder="")
            self._renewed = 0.0

    def renew(self) -> None:
        """Go on holding it, if it is held. Raises LockHeld where somebody else does."""
        if not self._renewed or time.monotonic() - self._renewed < RENEW_S:
            return
        with suppress(RemoteError):  # nobody else can take it meanwhile
            found = self._cluster.find(self._path)
            if found is not None and _holder(found) != self._holder:
                raise self._is_held(found)
            self._write(found)

    def is_held(self) -> bool:
        """Whether anybody holds it now, by this machine's clock."""
        found = self._cluster.find(self._path)
        if found is None or not _holder(found):
            return False
        renewed = datetime.strptime(found["spec"]["renewTime"], TIME)
        age = datetime.now(UTC) - renewed.replace(tzinfo=UTC)
        return age < timedelta(seconds=DURATION_S)

    def _free(self) -> Object | None:
        """As it is once nobody else holds it any more."""
        found = self._cluster.find(self._path)
        deadline = time.monotonic() + DURATION_S
        while found is not None and _holder(found) not in ("", self._holder):
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
        """In one step from what was found: of two writers one is refused."""
        spec = {
            "holderIdentity": self._holder if holder is None else holder,
            "leaseDurationSeconds": DURATION_S,
            "renewTime": datetime.now(UTC).strftime(TIME),
        }
        try:
            if found is None:
                kind = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
                content = {**kind, "metadata": {"name": self._name}, "spec": spec}
                self._cluster.create(self._folder, content)
            else:
                self._cluster.patch(self._path, found, {"spec": spec})
        except Conflict as error:
            raise self._is_held(self._cluster.find(self._path)) from error
        self._renewed = time.monotonic()

    def _is_held(self, found: Object | None) -> LockHeld:
        holder = _holder(found) if found else "unknown"
        return LockHeld(
            f"another promoter, {holder}, holds the Lease {self._name}; use status, or "
            "end it first"
        )


def _holder(found: Object) -> str:
    return str(found["spec"].get("holderIdentity") or "")
