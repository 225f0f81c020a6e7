"""The shipped PodMonitors as jobs of a Prometheus, as its operator makes them.

Debian's Prometheus does not know Kubernetes, so what its discovery would say about each
container's port is written to a file, which it reads again.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.monitoring.rules import FOLDER

Job = dict[str, Any]
POD = "__meta_kubernetes_pod"


def monitors() -> list[Job]:
    """The shipped PodMonitors."""
    return list(yaml.safe_load_all((FOLDER / "podmonitors.yaml").read_text()))


def jobs(namespace: str, targets: Path, every: str) -> list[Job]:
    """A job for each endpoint of the PodMonitors in one namespace."""
    return [
        {
            "job_name": f"podMonitor/{namespace}/{monitor['metadata']['name']}",
            "honor_labels": endpoint["honorLabels"],
            "metrics_path": endpoint.get("path", "/metrics"),
            "scrape_interval": every,
            "scrape_timeout": every,
            "file_sd_configs": [{"files": [str(targets)], "refresh_interval": "1s"}],
            "relabel_configs": list(_relabelled(monitor["spec"]["selector"], endpoint)),
        }
        for monitor in monitors()
        for endpoint in monitor["spec"]["podMetricsEndpoints"]
    ]


@contextmanager
def discovering(targets: Path, pods: Callable[[], list[Job]]) -> Iterator[None]:
    """Keep the file in line with the pods until the block ends."""
    is_over = threading.Event()

    def keep() -> None:
        while not is_over.wait(0.5):
            found = [group for pod in pods() for group in _groups(pod)]
            new = targets.with_suffix(".new")
            new.write_text(json.dumps(found))
            new.replace(targets)

    thread = threading.Thread(target=keep, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(60)


def _groups(pod: Job) -> Iterator[Job]:
    """What discovery says about each port of a pod that has an address."""
    address, metadata = pod["status"].get("podIP"), pod["metadata"]
    labels = {
        "__meta_kubernetes_namespace": metadata["namespace"],
        f"{POD}_name": metadata["name"],
        f"{POD}_phase": pod["status"]["phase"],
    }
    for key, value in metadata["labels"].items():
        labels[f"{POD}_label_{_name(key)}"] = value
        labels[f"{POD}_labelpresent_{_name(key)}"] = "true"
    for container in pod["spec"]["containers"] if address else ():
        for port in container.get("ports", ()):
            named = {
                f"{POD}_container_name": container["name"],
                f"{POD}_container_port_name": port.get("name", ""),
            }
            target = f"{address}:{port['containerPort']}"
            yield {"targets": [target], "labels": {**labels, **named}}


def _relabelled(selector: Job, endpoint: Job) -> Iterator[Job]:
    yield _rule(f"{POD}_phase", "(Failed|Succeeded)", action="drop")
    for key, value in selector.get("matchLabels", {}).items():
        yield _rule(f"{POD}_label_{_name(key)}", f"({value})", action="keep")
    for each in selector.get("matchExpressions", ()):
        action = "keep" if each["operator"] == "Exists" else "drop"
        present = f"{POD}_labelpresent_{_name(each['key'])}"
        yield _rule(present, "true", action=action)
    yield _rule(f"{POD}_container_port_name", endpoint["port"], action="keep")
    for label in ("namespace", "pod"):
        meta = "__meta_kubernetes_namespace" if label == "namespace" else f"{POD}_name"
        yield {"source_labels": [meta], "target_label": label}
    yield {"source_labels": [f"{POD}_container_name"], "target_label": "container"}
    for each in endpoint.get("relabelings", ()):
        source = {"source_labels": each["sourceLabels"]}
        yield {**source, "target_label": each["targetLabel"]}


def _rule(source: str, regex: str, action: str) -> Job:
    return {"source_labels": [source], "regex": regex, "action": action}


def _name(key: str) -> str:
    return "".join(sign if sign.isalnum() else "_" for sign in key)
