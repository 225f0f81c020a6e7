"""Writes Kubernetes Events about decisions, where `kubectl describe` shows them."""

import json
import sys
from datetime import UTC, datetime

from scripts.rollout.cluster.client import MANAGER, Cluster, reference
from scripts.rollout.errors import RemoteError
from scripts.rollout.journal.notes import read_notes
from scripts.rollout.journal.saved import Saved
from scripts.rollout.state.notes import NoteKind, news
from scripts.rollout.state.state import Phase

NORMAL = (Phase.PREFLIGHT, Phase.WARMUP, Phase.STEP, Phase.BAKE, Phase.PROMOTING)
TIME = "%Y-%m-%dT%H:%M:%SZ"


class Events:
    """Writes one Event per entry that has news; a lost Event changes nothing."""

    def __init__(self, cluster: Cluster, namespace: str, subject: str) -> None:
        """Write Events about the object at the API path `subject`."""
        self._cluster, self._namespace, self._subject = cluster, namespace, subject
        self._path = f"/api/v1/namespaces/{namespace}/events"
        self._object: dict[str, str] = {}
        self._told: frozenset[NoteKind] = frozenset()

    def __call__(self, saved: Saved) -> None:
        """Write an Event if this entry says something new."""
        state, message = saved.state, self._news(saved)
        if not message:
            return
        is_normal = state.phase in (*NORMAL, Phase.PROMOTED)
        try:
            self._tell(state.phase, message, is_normal=is_normal)
        except RemoteError as error:
            print(f"no Event: {error}", file=sys.stderr)

    def _news(self, saved: Saved) -> str:
        state, entry = saved.state, json.loads(saved.line)
        if saved.kind == "begin":
            return f"canary {state.canary} beside stable {state.stable}"
        if saved.kind == "undo":
            return str(entry["reason"])
        notes, self._told = news(read_notes(entry), self._told)
        return "; ".join(note.text for note in notes)

    def _tell(self, reason: str, message: str, *, is_normal: bool) -> None:
        now = datetime.now(UTC).strftime(TIME)
        involved = self._involved()
        content = {
            "metadata": {"generateName": f"{involved['name']}-rollout-"},
            "involvedObject": involved,
            "reason": reason,
            "message": message[:1024],
            "type": "Normal" if is_normal else "Warning",
            "source": {"component": MANAGER},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        self._cluster.create(self._path, content)

    def _involved(self) -> dict[str, str]:
        if not self._object:
            found = self._cluster.get(self._subject)
            self._object = {"namespace": self._namespace, **reference(found)}
        return self._object
