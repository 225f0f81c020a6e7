"""The bucket edge at which a latency objective is judged. Pure.

A histogram knows how many requests took no longer than each of its edges. So an
objective is judged at the largest edge that is not above it, of those that both arms
have; between two edges that is the stricter of both.
"""

from collections.abc import Iterable, Iterator, Sequence

from scripts.rollout import text
from scripts.rollout.metrics.port import UP_TO, Reading, Sample
from scripts.rollout.policy.policy import Policy


def shared(samples: Iterable[Sample]) -> dict[float, str]:
    """Return the edges that all histograms have, in seconds, with their names."""
    found: set[str] | None = None
    for sample in samples:
        names = {name for name in sample if name.startswith(UP_TO)}
        if names:
            found = names if found is None else found & names
    return {float(name.removeprefix(UP_TO)): name for name in found or ()}


def at_most(slo: float, edges: Iterable[float]) -> float | None:
    """Return the edge at which an objective is judged, None without one."""
    return max((edge for edge in edges if edge <= slo), default=None)


def judged(policy: Policy, reading: Reading, arms: Sequence[str]) -> Iterator[str]:
    """Say of each objective between two edges at which one it is judged."""
    edges = _of(reading, arms)
    for place, slo in _objectives(policy):
        edge = at_most(slo, edges)
        if edges and edge != slo:
            yield _said(place, slo, edge, edges)


def faults(policy: Policy, reading: Reading, arms: Sequence[str]) -> list[str]:
    """Return what keeps an objective from being judged: no edge at or under it."""
    edges = _of(reading, arms)
    return [
        _said(place, slo, None, edges)
        for place, slo in _objectives(policy)
        if edges and at_most(slo, edges) is None
    ]


def _of(reading: Reading, arms: Sequence[str]) -> list[float]:
    return sorted(shared(s for arm in arms for s in reading.get(arm, {}).values()))


def _objectives(policy: Policy) -> Iterator[tuple[str, float]]:
    for position, metric in enumerate(policy.metrics):
        if metric.slo is not None:
            yield f"metrics[{position}].slo", metric.slo


def _said(place: str, slo: float, edge: float | None, edges: Sequence[float]) -> str:
    there = ", ".join(map(text.exactly, edges))
    if edge is None:
        return (
            f"{place}: {text.exactly(slo)} is below every edge of the histogram, so no "
            f"answer could be told good from bad; edges: {there}"
        )
    return (
        f"{place}: {text.exactly(slo)} is judged at {text.exactly(edge)}, the nearest "
        f"edge at or under it; edges: {there}"
    )
