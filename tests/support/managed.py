"""Writes who owns a field of an object, as the API server keeps it."""

from typing import Any

from scripts.rollout.cluster.client import Object

RIVAL = "argocd-controller"
WRITTEN = "2026-01-01T12:03:07Z"


def owned(found: Object, *path: str, manager: str = RIVAL, time: str = WRITTEN) -> None:
    """Let `manager` have written the field last."""
    fields: dict[str, Any] = {}
    inner = fields
    for step in path:
        inner[f"f:{step}"] = inner = {}
    entry = {"manager": manager, "time": time, "fieldsV1": fields}
    found["metadata"].setdefault("managedFields", []).append(entry)
