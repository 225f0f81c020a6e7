"""Reads InferenceServices from YAML and says what of them makes a revision.

Refuses whatever cannot run here; knows nothing of processes or files besides YAML.
"""

import copy
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from scripts.local.errors import ManifestError

Object = dict[str, Any]

API_VERSION = "serving.kserve.io/v1beta1"
KIND = "InferenceService"
PERCENT = "canaryTrafficPercent"
TAG_ROUTING = "serving.kserve.io/enable-tag-routing"
PROGRESS_DEADLINE = "serving.knative.dev/progress-deadline"
DEFAULT_DEADLINE_S = 600.0
DEFAULT_TIMEOUT_S = 300
NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
# KServe copies every other annotation into the revision's template.
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
NOT_IN_TEMPLATE = {
    LAST_APPLIED,
    "serving.knative.dev/rollout-duration",
}


@dataclass(frozen=True, slots=True)
class Container:
    """What of a revision's template becomes a process."""

    args: tuple[str, ...]
    env: Mapping[str, str]
    port_name: str
    probe_path: str | None
    timeout_s: int

    @property
    def is_http2(self) -> bool:
        """Whether the gateway speaks HTTP/2 to it (gRPC)."""
        return self.port_name == "h2c"


def read(paths: Sequence[Path]) -> list[Object]:
    """Every InferenceService in the files, in order. Raises ManifestError."""
    objects = []
    for path in paths:
        try:
            documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise ManifestError(f"{path}: {error.strerror}") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            reason = " ".join(str(error).split())
            raise ManifestError(f"{path}: not YAML: {reason}") from error
        for document in filter(None, documents):
            try:
                check(document)
            except ManifestError as error:
                raise ManifestError(f"{path}: {error}") from error
            objects.append(document)
    if not objects:
        raise ManifestError(f"{', '.join(map(str, paths))}: no InferenceService inside")
    return objects


def check(document: Any) -> None:
    """Raise ManifestError naming the first field that does not fit."""
    try:
        json.dumps(document)
    except TypeError as error:
        raise ManifestError(f"a value has no JSON form ({error}); quote it") from error
    for field, expected in (("apiVersion", API_VERSION), ("kind", KIND)):
        if _get(document, field) != expected:
            raise ManifestError(
                f"{field}: expected {expected}, got {_get(document, field)!r}"
            )
    name = _get(document, "metadata", "name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ManifestError(f"metadata.name: expected a DNS label, got {name!r}")
    if not isinstance(_get(document, "spec", "predictor"), dict):
        raise ManifestError("spec.predictor: missing, expected a container to run")
    check_percent(percent(document))
    container(template(document))


def check_percent(value: Any) -> None:
    """KServe takes any integer and Knative then fails; better said at once."""
    if value is not None and (type(value) is not int or not 0 <= value <= 100):
        raise ManifestError(
            f"spec.predictor.{PERCENT}: expected an integer from 0 to 100, "
            f"got {value!r}"
        )


def key(document: Object) -> str:
    """Namespace and name, unique here."""
    return f"{namespace(document)}.{document['metadata']['name']}"


def namespace(document: Object) -> str:
    """The namespace, "default" where none is given."""
    return str(document["metadata"].get("namespace", "default"))


def percent(document: Object) -> Any:
    """The canary's percent, None where the field is absent."""
    return _get(document, "spec", "predictor", PERCENT)


def with_last_applied(document: Object) -> Object:
    """A copy that carries what was applied in an annotation, as kubectl leaves it."""
    applied = copy.deepcopy(document)
    annotations = applied["metadata"].get("annotations") or {}
    content = json.dumps(document, separators=(",", ":"))
    applied["metadata"]["annotations"] = annotations | {LAST_APPLIED: content}
    return applied


def last_applied_percent(document: Object) -> Any:
    """The percent in the manifest that was applied last, whatever was patched since."""
    return percent(json.loads(document["metadata"]["annotations"][LAST_APPLIED]))


def has_tag_routing(document: Object) -> bool:
    """Whether `latest-` and `prev-` hosts are wanted."""
    return bool(_get(document, "metadata", "annotations", TAG_ROUTING) == "true")


def template(document: Object) -> Object:
    """All that makes a new revision when it changes: everything but the percent."""
    metadata = document["metadata"]
    annotations = metadata.get("annotations") or {}
    predictor = document["spec"]["predictor"]
    return {
        "labels": metadata.get("labels") or {},
        "annotations": {
            name: value
            for name, value in annotations.items()
            if name not in NOT_IN_TEMPLATE
        },
        "spec": {name: value for name, value in predictor.items() if name != PERCENT},
    }


def deadline_s(template: Object) -> float:
    """How long a revision may take to become ready, in seconds."""
    value = str(template["annotations"].get(PROGRESS_DEADLINE, ""))
    match = re.fullmatch(r"(\d+)(s|m)", value)
    if match is None:
        return DEFAULT_DEADLINE_S
    return float(match[1]) * (60 if match[2] == "m" else 1)


def container(template: Object) -> Container:
    """The one container of a template. Raises ManifestError."""
    field = "spec.predictor.containers"
    containers = template["spec"].get("containers")
    if not isinstance(containers, list) or len(containers) != 1:
        raise ManifestError(f"{field}: expected exactly one container")
    only = containers[0]
    if _get(only, "command") is not None:
        raise ManifestError(
            f"{field}[0].command: local mode runs the image's own, python -m predictor"
        )
    ports = _get(only, "ports") or [{"containerPort": 8080}]
    if len(ports) != 1:
        raise ManifestError(f"{field}[0].ports: Knative allows exactly one port")
    return Container(
        args=tuple(str(arg) for arg in _get(only, "args") or ()),
        env=_environment(_get(only, "env") or [], f"{field}[0].env"),
        port_name=str(ports[0].get("name", "http1")),
        probe_path=_get(only, "readinessProbe", "httpGet", "path"),
        timeout_s=int(template["spec"].get("timeout", DEFAULT_TIMEOUT_S)),
    )


def _environment(entries: list[Any], field: str) -> dict[str, str]:
    values = {}
    for entry in entries:
        name, value = _get(entry, "name"), _get(entry, "value")
        if not isinstance(name, str) or not isinstance(value, str):
            raise ManifestError(
                f"{field}: expected name and a string value, got {entry!r}"
            )
        values[name] = value
    return values


def _get(value: Any, *fields: str) -> Any:
    for field in fields:
        if not isinstance(value, dict):
            return None
        value = value.get(field)
    return value
