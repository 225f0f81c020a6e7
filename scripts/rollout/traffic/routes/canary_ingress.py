"""Reads two Ingresses of ingress-nginx, the stable's and the canary's. Pure.

The canary's has the annotation `canary: "true"`, and hosts and paths of the stable's;
`canary-weight` percent of what matches these goes to its Service.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from scripts.rollout.cluster.client import Object
from scripts.rollout.errors import RolloutError

PREFIX = "nginx.ingress.kubernetes.io"
CANARY, WEIGHT = f"{PREFIX}/canary", f"{PREFIX}/canary-weight"
# With these a request is sent by another rule than by the percent that is set.
OTHERS = (f"{PREFIX}/canary-by-header", f"{PREFIX}/canary-by-cookie", f"{WEIGHT}-total")


def ingresses_path(namespace: str) -> str:
    """Return the API path of a namespace's Ingresses."""
    return f"/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses"


def ingress_path(namespace: str, name: str) -> str:
    """Return the API path of an Ingress."""
    return f"{ingresses_path(namespace)}/{name}"


@dataclass(frozen=True, slots=True)
class Pair:
    """Both Services, as references with name and port, and the canary's percent."""

    stable: Object
    canary: Object
    weight: int

    @classmethod
    def of(cls, stable: Object, canary: Object) -> Self:
        """Read two Ingresses. Raises RolloutError unless weights alone split them."""
        mine, theirs = _services(stable), _services(canary)
        both = [(mine[each], theirs[each]) for each in theirs if each in mine]
        names = {(one["name"], other["name"]) for one, other in both}
        (one, other), *more = names or {("", "")}
        if more or one == other or len(both) != len(theirs):
            raise RolloutError(
                f"Ingress {_name(canary)}: expected hosts and paths of Ingress "
                f"{_name(stable)} only, with one other Service, got {sorted(names)}"
            )
        annotations = _annotations(canary)
        besides = [each for each in OTHERS if each in annotations]
        weight = annotations.get(WEIGHT, "0")
        if besides or not (weight.isdecimal() and int(weight) <= 100):
            raise RolloutError(
                f"Ingress {_name(canary)}: expected {WEIGHT} of 0 to 100 and no other "
                f"rule for its traffic, got {weight!r} {' '.join(besides)}".rstrip()
            )
        return cls(*both[0], int(weight))

    @property
    def names(self) -> tuple[str, str]:
        """Return the names of both Services."""
        return str(self.stable["name"]), str(self.canary["name"])


def beside(stable: Object, every: Sequence[Object]) -> str:
    """Return the name of a stable's one canary Ingress. Raises RolloutError."""
    found = [
        _name(each)
        for each in every
        if _annotations(each).get(CANARY) == "true"
        and _services(each).keys() & _services(stable).keys()
    ]
    if len(found) == 1:
        return found[0]
    raise RolloutError(
        f"Ingress {_name(stable)}: expected one other Ingress with a host and path of "
        f'it and {CANARY}: "true", got {", ".join(found) or "none"}'
    )


def _services(ingress: Object) -> Mapping[tuple[str, str], Object]:
    """Return the Service behind each host and path, as a reference."""
    return {
        (rule.get("host", ""), path.get("path", "/")): _reference(path["backend"])
        for rule in ingress["spec"].get("rules", ())
        for path in rule.get("http", {}).get("paths", ())
    }


def _reference(backend: Object) -> Object:
    """Return a backend as a route refers to it; a port's name is found at the pods."""
    service = backend.get("service", {})
    port = service.get("port", {}).get("number", 0)
    return {"name": service.get("name", ""), "port": port}


def _annotations(ingress: Object) -> Mapping[str, str]:
    found: Mapping[str, str] = ingress["metadata"].get("annotations") or {}
    return found


def _name(ingress: Object) -> str:
    return str(ingress["metadata"]["name"])
