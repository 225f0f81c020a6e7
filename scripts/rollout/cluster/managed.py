"""Who wrote a field of an object last, by its managedFields. Pure."""

from scripts.rollout.cluster.client import Object


def last_writer(document: Object, *path: str) -> tuple[str, str]:
    """Return the manager that set a field last and when, two "" if nobody is named.

    The API server keeps these times in whole seconds, and not for an equal value.
    """
    found = [
        (str(entry.get("time", "")), str(entry.get("manager", "")))
        for entry in document["metadata"].get("managedFields", ())
        if _has(entry.get("fieldsV1", {}), path)
    ]
    time, manager = max(found, default=("", ""))
    return manager, time


def _has(fields: Object, path: tuple[str, ...]) -> bool:
    for step in path:
        if f"f:{step}" not in fields:
            return False
        fields = fields[f"f:{step}"]
    return True
