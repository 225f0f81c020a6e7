"""Reads an HTTPRoute of the Gateway API. Pure."""

from collections.abc import Iterator

from scripts.rollout.cluster.client import Object, condition

API = "/apis/gateway.networking.k8s.io/v1"


def route_path(namespace: str, name: str) -> str:
    """Return the API path of an HTTPRoute."""
    return f"{API}/namespaces/{namespace}/httproutes/{name}"


def backends(route: Object) -> Iterator[Object]:
    """Yield every backendRef of every rule."""
    for rule in route["spec"].get("rules", ()):
        yield from rule.get("backendRefs", ())


def shares(route: Object) -> dict[str, int]:
    """Return each Service's percent; weights are relative and default to 1."""
    weights: dict[str, int] = {}
    for backend in backends(route):
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
