"""Kubernetes Events on the InferenceService: decisions where kubectl shows them."""

import json
import re
import sys
from datetime import UTC, datetime

from scripts.rollout.cluster.client import MANAGER, Cluster, reference
from scripts.rollout.errors import Unreachable
from scripts.rollout.journal.saved import Saved
from scripts.rollout.state.state import Phase

NORMAL = (Phase.PREFLIGHT, Phase.WARMUP, Phase.STEP, Phase.BAKE, Phase.PROMOTING)
DIGITS = re.compile(r"\d+")
TIME = "%Y-%m-%dT%H:%M:%SZ"


class Events:
    """Tells what a journal's entries say; an Event that is lost changes nothing."""

    def __init__(self, cluster: Cluster, namespace: str, subject: str) -> None:
        """About the InferenceService or HTTPRoute at the path `subject`."""
        self._cluster, self._namespace, self._subject = cluster, namespace, subject
        self._path = f"/api/v1/namespaces/{namespace}/events"
        self._object: dict[str, str] = {}
        self._told: tuple[str, int, str] | None = None

    def __call__(self, saved: Saved) -> None:
        """One Event for the notes of a look; none for one that only counts on."""
        state, entry = saved.state, json.loads(saved.line)
        notes = entry.get("notes", [])
        if saved.kind == "begin":
            notes = [f"canary {state.canary} beside stable {state.stable}"]
        if saved.kind == "undo":
            notes = [entry["reason"]]
        told = state.phase, state.weight, DIGITS.sub("", "; ".join(notes))
        if not notes or told == self._told:
            return
        self._told = told
        is_normal = state.phase in (*NORMAL, Phase.PROMOTED)
        try:
            self._tell(state.phase, "; ".join(notes), is_normal=is_normal)
        except Unreachable as error:
            print(f"no Event: {error}", file=sys.stderr)

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
