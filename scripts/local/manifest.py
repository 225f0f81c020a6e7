"""Reads InferenceServices from YAML, and the parts of them that make a revision.

It refuses fields that cannot be carried out here (for the container:
`scripts.local.container`), and knows no process and no file besides YAML.
"""

import copy
import json
import re
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from scripts import yaml_text
from scripts.local import container
from scripts.local.container import Object
from scripts.local.errors import ManifestError

API_VERSION = "serving.kserve.io/v1beta1"
KIND = "InferenceService"
PERCENT = "canaryTrafficPercent"
TAG_ROUTING = "serving.kserve.io/enable-tag-routing"
PROGRESS_DEADLINE = "serving.knative.dev/progress-deadline"
DEPLOYMENT_MODE = "serving.kserve.io/deploymentMode"
# Serverless is an older name for Knative; absent is Knative here.
KNATIVE_MODES = (None, "Knative", "Serverless")
DEFAULT_DEADLINE_S = 600.0
NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")  # a file's name here
LONGEST_REASON = 400  # characters, of which a manifest chooses most
# KServe copies every other annotation into the revision's template.
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
NOT_IN_TEMPLATE = {
    LAST_APPLIED,
    "serving.knative.dev/rollout-duration",
}


def read(paths: Sequence[Path]) -> list[Object]:
    """Return every InferenceService of the files, in order. Raises ManifestError."""
    objects = []
    for path in paths:
        try:
            with path.open("rb") as file:
                text = file.read(yaml_text.MOST_BYTES + 1).decode("utf-8")
            yaml_text.check(text)
            nodes = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
            documents = list(yaml.safe_load_all(text))
        except OSError as error:
            raise ManifestError(f"{path}: {error.strerror}") from error
        except (yaml.YAMLError, ValueError) as error:  # of a date that is none
            reason = " ".join(str(error).split())
            raise ManifestError(f"{path}: not YAML: {reason}") from error
        for place, fault in chain.from_iterable(map(yaml_text.repeated, nodes)):
            raise ManifestError(f"{path}: {yaml_text.said(place, fault)}")
        for document in filter(None, documents):
            try:
                check(document)
            except ManifestError as error:
                raise ManifestError(f"{path}: {error}"[:LONGEST_REASON]) from error
            objects.append(document)
    if not objects:
        raise ManifestError(f"{', '.join(map(str, paths))}: no InferenceService inside")
    return objects


def check(document: Any) -> None:
    """Raise ManifestError with the first field that does not fit."""
    try:
        json.dumps(document)
    except TypeError as error:
        raise ManifestError(f"a value has no JSON form ({error}); quote it") from error
    for field, expected in (("apiVersion", API_VERSION), ("kind", KIND)):
        if container.dig(document, field) != expected:
            raise ManifestError(
                f"{field}: expected {expected}, got {container.dig(document, field)!r}"
            )
    name = container.dig(document, "metadata", "name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ManifestError(f"metadata.name: expected a DNS label, got {name!r}")
    for field in ("annotations", "labels"):
        value = container.dig(document, "metadata", field)
        container.check_form(value, dict, f"metadata.{field}")
    if not NAMESPACE.fullmatch(namespace(document)):
        got = namespace(document)
        raise ManifestError(f"metadata.namespace: expected a DNS label, got {got!r}")
    if not isinstance(container.dig(document, "spec", "predictor"), dict):
        raise ManifestError("spec.predictor: missing, expected a container to run")
    for other in document["spec"]:
        if other != "predictor":
            raise ManifestError(
                f"spec.{other}: local mode runs the predictor alone; remove it"
            )
    mode = container.dig(document, "metadata", "annotations", DEPLOYMENT_MODE)
    if mode not in KNATIVE_MODES:
        raise ManifestError(
            f"metadata.annotations.{DEPLOYMENT_MODE}: local mode follows Knative's "
            f"rules, got {mode!r}; remove it, or use a cluster"
        )
    check_percent(percent(document))
    container.read(template(document))


def check_percent(value: Any) -> None:
    """Refuse a percent that KServe would accept and Knative then reject."""
    if value is not None and (type(value) is not int or not 0 <= value <= 100):
        raise ManifestError(
            f"spec.predictor.{PERCENT}: expected an integer from 0 to 100, "
            f"got {value!r}"
        )


def key(document: Object) -> str:
    """Return namespace and name, a unique key of this folder."""
    return f"{namespace(document)}.{document['metadata']['name']}"


def namespace(document: Object) -> str:
    """Return the namespace, by default "default"."""
    return str(document["metadata"].get("namespace", "default"))


def percent(document: Object) -> Any:
    """Return the canary's percent, None where the field is absent."""
    return container.dig(document, "spec", "predictor", PERCENT)


def with_last_applied(document: Object) -> Object:
    """Return a copy with kubectl's last-applied annotation."""
    applied = copy.deepcopy(document)
    annotations = applied["metadata"].get("annotations") or {}
    content = json.dumps(document, separators=(",", ":"))
    applied["metadata"]["annotations"] = annotations | {LAST_APPLIED: content}
    return applied


def last_applied_percent(document: Object) -> Any:
    """Return the percent of the manifest as last applied, without patches."""
    return percent(json.loads(document["metadata"]["annotations"][LAST_APPLIED]))


def has_tag_routing(document: Object) -> bool:
    """Return whether `latest-` and `prev-` hosts are enabled."""
    value = container.dig(document, "metadata", "annotations", TAG_ROUTING)
    return bool(value == "true")


def template(document: Object) -> Object:
    """Return everything but the percent: any change of it makes a new revision."""
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
    """Return the seconds that a revision may take to become ready."""
    value = str(template["annotations"].get(PROGRESS_DEADLINE, ""))
    match = re.fullmatch(r"(\d+)(s|m)", value)
    if match is None:
        return DEFAULT_DEADLINE_S
    return float(match[1]) * (60 if match[2] == "m" else 1)
