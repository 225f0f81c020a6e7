"""Reads an HTTPRoute of the Gateway API, and one rule of it. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from scripts.rollout.cluster.client import Object, condition
from scripts.rollout.errors import RolloutError

API = "/apis/gateway.networking.k8s.io/v1"
POOL = "InferencePool"


def route_path(namespace: str, name: str) -> str:
    """Return the API path of an HTTPRoute."""
    return f"{API}/namespaces/{namespace}/httproutes/{name}"


@dataclass(frozen=True, slots=True)
class Backend:
    """One backendRef: a Service, or what else a gateway sends requests to."""

    name: str
    namespace: str
    kind: str = "Service"
    group: str = ""
    port: int = 0

    @classmethod
    def of(cls, reference: Object, namespace: str) -> "Backend":
        """Read a backendRef of a route in `namespace`."""
        return cls(
            reference["name"],
            reference.get("namespace", namespace),
            reference.get("kind", "Service"),
            reference.get("group", ""),
            reference.get("port", 0),
        )

    @property
    def path(self) -> str:
        """Return the API path of the object. Raises RolloutError for unknown kinds."""
        place = f"namespaces/{self.namespace}"
        if self.kind == "Service" and not self.group:
            return f"/api/v1/{place}/services/{self.name}"
        if self.kind == POOL:
            version = "v1alpha2" if self.group.endswith("x-k8s.io") else "v1"
            return f"/apis/{self.group}/{version}/{place}/inferencepools/{self.name}"
        raise RolloutError(
            f"backendRef {self.name}: the pods of a {self.kind} are not known here; "
            f"expected a Service or an {POOL}"
        )


def rule(route: Object, wanted: str = "") -> Object:
    """Return the one rule to split, the route's own object. Raises RolloutError.

    `wanted` is its name or the path of one of its matches; without it the rule is the
    only one with two backendRefs.
    """
    rules = route["spec"].get("rules", ())
    name = route["metadata"]["name"]
    found = [each for each in rules if wanted in _names(each) or not wanted]
    if wanted and len(found) != 1:
        known = ", ".join(_said(each) for each in rules)
        raise RolloutError(
            f"target.rule: expected one rule of HTTPRoute {name} with this name or "
            f"path, got {wanted!r}, which {len(found)} have; there are: {known}"
        )
    split = [each for each in found if _is_split(each)]
    if len(split) == 1:
        found_rule: Object = split[0]
        return found_rule
    if len(split) > 1:
        known = ", ".join(_said(each) for each in split)
        raise RolloutError(
            f"HTTPRoute {name}: {len(split)} rules have two backendRefs, {known}; "
            "say which by target.rule"
        )
    names = [[ref["name"] for ref in backends(each)] for each in found]
    raise RolloutError(
        f"HTTPRoute {name}: expected one rule with two backendRefs, stable and canary, "
        f"got {names}"
    )


def backends(rule: Object) -> list[Object]:
    """Return the backendRefs of a rule, the route's own objects."""
    return list(rule.get("backendRefs", ()))


def others(route: Object, chosen: Object) -> list[str]:
    """Return the names of the other rules that send requests to a backend of one."""
    mine = {each["name"] for each in backends(chosen)}
    return [
        _said(each)
        for each in route["spec"].get("rules", ())
        if each != chosen and mine & {ref["name"] for ref in backends(each)}
    ]


def _is_split(rule: Object) -> bool:
    names = [each["name"] for each in backends(rule)]
    return len(names) == 2 and len(set(names)) == 2


def _names(rule: Object) -> Iterator[str]:
    """Yield what a rule can be called: its name, and the paths of its matches."""
    if rule.get("name"):
        yield rule["name"]
    for match in rule.get("matches", ()):
        yield match.get("path", {}).get("value", "")


def _said(rule: Object) -> str:
    return next((each for each in _names(rule) if each), "one without name and path")


def shares(rules: list[Object]) -> dict[str, int]:
    """Return each backend's percent; weights are relative and default to 1."""
    weights: dict[str, int] = {}
    for backend in (each for found in rules for each in backends(found)):
        name = backend["name"]
        weights[name] = weights.get(name, 0) + int(backend.get("weight", 1))
    total = sum(weights.values())
    return {name: round(100 * each / total) for name, each in weights.items() if total}


def is_in_force(route: Object) -> bool:
    """Return whether every gateway accepted the newest generation and its Services."""
    parents = route.get("status", {}).get("parents", ())
    newest = route["metadata"]["generation"]
    return bool(parents) and all(
        _holds(parent, kind, newest)
        for parent in parents
        for kind in ("Accepted", "ResolvedRefs")
    )


def _holds(parent: Object, kind: str, generation: int) -> bool:
    found = condition(parent, kind)
    is_newest = found.get("observedGeneration") == generation
    return is_newest and found.get("status") == "True"
