"""Where rollouts are found: this machine's state folder, and one cluster."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from scripts.rollout import wiring
from scripts.rollout.cluster.client import Cluster
from scripts.rollout.errors import Forbidden
from scripts.rollout.journal.file import FileJournal
from scripts.rollout.journal.port import SharedJournal
from scripts.rollout.traffic.port import Place

SUFFIX = "-rollout"  # of the ConfigMap that a promoter keeps for a target


class Source(Protocol):
    """One place with rollouts; `where` says to people which one.

    It is read each `every_s` seconds while somebody looks.
    """

    where: str
    every_s: float

    def versions(self) -> Mapping[str, str]:
        """Return each rollout's key, and a text that changes whenever it does."""

    def journal(self, key: str) -> SharedJournal:
        """Return the journal of one rollout."""

    def file(self, key: str) -> Path | None:
        """Return the file with the whole journal, None if this machine has none."""


class Machine:
    """The rollouts of local mode's state folder."""

    where = "this machine"
    every_s = 1.0

    def __init__(self, place: Place) -> None:
        """Look below the place's folder."""
        self._folder = place.folder.resolve()

    def versions(self) -> Mapping[str, str]:
        """Return the keys of all folders with a state, and their files' times."""
        found = {}
        for state in self._folder.glob("rollouts/*/state.json"):
            others = ("requests.jsonl", "journal.jsonl")
            files = state, *(state.with_name(name) for name in others)
            found[state.parent.name] = " ".join(map(_version, files))
        return found

    def journal(self, key: str) -> SharedJournal:
        """Return the folder's journal."""
        return FileJournal.of(self._folder, key)

    def file(self, key: str) -> Path | None:
        """Return the journal itself."""
        return FileJournal.of(self._folder, key).path


class OnCluster:
    """The rollouts whose promoters keep a ConfigMap on the context's cluster.

    All namespaces are looked through, or the context's own where only that is allowed.
    """

    every_s = 2.0

    def __init__(self, place: Place) -> None:
        """Ask the API server of the place's context. Raises RolloutError without."""
        self._place, self._cluster = place, Cluster.of(place.context)
        self._maps = "/api/v1/configmaps"
        self.where = f"cluster {place.context or self._cluster.server}"

    def versions(self) -> Mapping[str, str]:
        """Return the keys of all such ConfigMaps, and their resourceVersions."""
        try:
            found = self._cluster.names(self._maps)
        except Forbidden:
            own = f"/api/v1/namespaces/{self._cluster.namespace}/configmaps"
            if self._maps == own:
                raise
            self._maps = own
            found = self._cluster.names(self._maps)
        return {
            f"{each['namespace']}.{each['name'].removesuffix(SUFFIX)}": each[
                "resourceVersion"
            ]
            for each in found
            if each["name"].endswith(SUFFIX)
        }

    def journal(self, key: str) -> SharedJournal:
        """Return the ConfigMap's journal."""
        return wiring.journal(self._place, key, on_cluster=True)

    def file(self, key: str) -> Path | None:
        """Return the copy that a promoter on this machine has kept."""
        copy = wiring.copy_path(self._place.folder.resolve(), key)
        return copy if copy.is_file() else None


def _version(file: Path) -> str:
    try:
        found = file.stat()
    except FileNotFoundError:
        return ""
    return f"{found.st_mtime_ns}.{found.st_size}"
