"""The shipped dashboard, and its queries as a Prometheus takes them."""

import json
from typing import Any

from tests.monitoring.rules import FOLDER

FILE = FOLDER / "dashboard.json"
BOARD: dict[str, Any] = json.loads(FILE.read_text())
PANELS = [each for each in BOARD["panels"] if each["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]


def queries(namespace: str, name: str, interval: str) -> list[str]:
    """All queries about one rollout, at an interval of rates."""
    found = []
    for query in QUERIES:
        for variable, value in (
            ("$namespace", namespace),
            ("$name", name),
            ("$__rate_interval", interval),
        ):
            query = query.replace(variable, value)
        found.append(query)
    return found
