"""Reads the fields of a revision's template that become a process; refuses others.

Local mode runs `python -m predictor` of this clone, whatever `image` names:

1. Carried out: args, env with plain values, the one port's name, the readiness probe's
   path, timeout.
2. Accepted without effect: what places, sizes or guards a pod (image, resources,
   securityContext, livenessProbe, minReplicas, an emptyDir at /tmp ...). No answer here
   depends on it, so a revision that differs from another one by such fields alone would
   be the very same process under a new name: `check_is_new` refuses it.
3. Everything else is refused with the field's path.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scripts.local.errors import ManifestError

Object = dict[str, Any]

PREDICTOR = "spec.predictor"
CONTAINER = f"{PREDICTOR}.containers[0]"
DEFAULT_TIMEOUT_S = 300
RUNS = "it runs python -m predictor of this clone"
CARRIED_OUT = frozenset({"containers", "timeout"})
CARRIED_OUT_OF_CONTAINER = frozenset({"name", "args", "env", "ports", "readinessProbe"})
FORMS: Mapping[str, type] = {
    "args": list,
    "env": list,
    "ports": list,
    "readinessProbe": dict,
    "timeout": int,
    "volumeMounts": list,
    "volumes": list,
}
WORDS: Mapping[type, str] = {dict: "fields", int: "an integer", list: "a list"}
# Names for people and selectors, which the process does not see on a cluster either.
METADATA = frozenset({"labels", "annotations"})
OF_A_POD = frozenset(
    "affinity automountServiceAccountToken containerConcurrency imagePullSecrets "
    "maxReplicas minReplicas nodeSelector priorityClassName scaleMetric scaleTarget "
    "securityContext serviceAccountName terminationGracePeriodSeconds tolerations "
    "topologySpreadConstraints volumes".split()
)
OF_A_PODS_CONTAINER = frozenset(
    "image imagePullPolicy livenessProbe resources securityContext "
    "terminationMessagePath terminationMessagePolicy volumeMounts".split()
)


@dataclass(frozen=True, slots=True)
class Container:
    """The fields of a revision's template that become a process."""

    args: tuple[str, ...]
    env: Mapping[str, str]
    port_name: str
    probe_path: str | None
    timeout_s: int

    @property
    def is_http2(self) -> bool:
        """Return whether the gateway speaks HTTP/2 (gRPC) to the container."""
        return self.port_name == "h2c"


def read(template: Object) -> Container:
    """Return the one container of a template. Raises ManifestError with the field."""
    spec = template["spec"]
    _refuse_others(spec, CARRIED_OUT | METADATA | OF_A_POD, PREDICTOR)
    if spec.get("containerConcurrency"):
        raise _refused(f"{PREDICTOR}.containerConcurrency", "it limits no requests")
    containers = spec.get("containers")
    if not isinstance(containers, list) or len(containers) != 1:
        raise ManifestError(f"{PREDICTOR}.containers: expected exactly one container")
    only = containers[0]
    _refuse_others(only, CARRIED_OUT_OF_CONTAINER | OF_A_PODS_CONTAINER, CONTAINER)
    _check_volumes(spec, only)
    port = _port(only)
    return Container(
        args=_arguments(only),
        env=_environment(only),
        port_name=str(port.get("name", "http1")),
        probe_path=_probe_path(only, port),
        timeout_s=spec.get("timeout") or DEFAULT_TIMEOUT_S,
    )


def check_is_new(template: Object, others: Iterable[Object]) -> None:
    """Refuse a template that would be another one's process under a new name.

    It would be compared with itself and promoted by evidence of no difference.
    """
    for other in others:
        mine, theirs = _without_effect(template), _without_effect(other)
        if mine == theirs or read(template) != read(other):
            continue
        differ = [
            path
            for path in dict.fromkeys([*mine, *theirs])
            if mine.get(path) != theirs.get(path)
        ]
        raise ManifestError(
            f"{', '.join(differ)}: an earlier revision differs in nothing else that "
            "local mode carries out, so this one would be the same process again; "
            "change args or env too, or use a cluster"
        )


def dig(value: Any, *fields: str) -> Any:
    """Return the value at a path of fields, None where a field is missing."""
    for field in fields:
        if not isinstance(value, dict):
            return None
        value = value.get(field)
    return value


def _refused(path: str, why: str) -> ManifestError:
    return ManifestError(
        f"{path}: local mode cannot carry it out, {why}; remove it, or use a cluster"
    )


def _refuse_others(found: Any, known: frozenset[str], path: str) -> None:
    if not isinstance(found, dict):
        raise ManifestError(f"{path}: expected fields, got {found!r}")
    for name, value in found.items():
        if name not in known and value is not None:
            raise _refused(f"{path}.{name}", RUNS)
        check_form(value, FORMS.get(name, object), f"{path}.{name}")


def check_form(value: Any, form: type, path: str) -> None:
    """Refuse a value of another form; None is an absent one. Raises ManifestError."""
    if value is not None and not isinstance(value, form):
        raise ManifestError(f"{path}: expected {WORDS[form]}, got {value!r}")


def _without_effect(template: Object) -> dict[str, Any]:
    """Return the fields that a cluster carries out and local mode does not, by path."""
    spec = template["spec"]
    pod = {f"{PREDICTOR}.{name}": spec[name] for name in OF_A_POD & spec.keys()}
    only = spec["containers"][0]
    names = OF_A_PODS_CONTAINER & only.keys()
    return pod | {f"{CONTAINER}.{name}": only[name] for name in names}


def _check_volumes(spec: Object, only: Object) -> None:
    for number, volume in enumerate(spec.get("volumes") or []):
        if dig(volume, "emptyDir") is None:
            path = f"{PREDICTOR}.volumes[{number}]"
            raise _refused(path, "it mounts nothing but an emptyDir")
    for number, mount in enumerate(only.get("volumeMounts") or []):
        if dig(mount, "mountPath") != "/tmp":
            path = f"{CONTAINER}.volumeMounts[{number}].mountPath"
            raise _refused(path, "of all mounts it has /tmp alone")


def _port(only: Object) -> Object:
    ports = only.get("ports") or [{"containerPort": 8080}]
    if len(ports) != 1:
        raise ManifestError(f"{CONTAINER}.ports: Knative allows exactly one port")
    if not isinstance(ports[0], dict):
        raise ManifestError(f"{CONTAINER}.ports[0]: expected fields, got {ports[0]!r}")
    return dict(ports[0])


def _arguments(only: Object) -> tuple[str, ...]:
    return tuple(str(argument) for argument in only.get("args") or [])


def _environment(only: Object) -> dict[str, str]:
    values = {}
    for number, entry in enumerate(only.get("env") or []):
        path = f"{CONTAINER}.env[{number}]"
        if dig(entry, "valueFrom") is not None:
            raise _refused(f"{path}.valueFrom", "it has neither Secrets nor ConfigMaps")
        name, value = dig(entry, "name"), dig(entry, "value")
        if not isinstance(name, str) or not isinstance(value, str):
            raise ManifestError(
                f"{path}: expected name and a string value, got {entry!r}"
            )
        values[name] = value
    return values


def _probe_path(only: Object, port: Object) -> str | None:
    """Return the readiness probe's path, None for a probe by TCP connection."""
    path = f"{CONTAINER}.readinessProbe"
    probe = only.get("readinessProbe") or {}
    for name in ("exec", "grpc"):
        if dig(probe, name) is not None:
            raise _refused(f"{path}.{name}", "it probes by httpGet or tcpSocket")
    for name in ("httpGet", "tcpSocket"):
        asked = dig(probe, name, "port")
        if asked not in (None, 0, port.get("name"), port.get("containerPort")):
            raise _refused(f"{path}.{name}.port", "it probes the container's one port")
    found = dig(probe, "httpGet", "path")
    return None if found is None else str(found)
