"""Groups series of a Prometheus by pod and by scraper. Pure."""

from collections.abc import Iterable, Mapping

from scripts.rollout.metrics import istio, queue_proxy
from scripts.rollout.metrics.port import READ_AT, Reading, merge
from scripts.rollout.metrics.prometheus.api import Odd

# Labels that say who scraped, not what: a pod of two jobs, or of a pair of servers.
SCRAPER = ("endpoint", "instance", "job", "prometheus")
REPLICA = "replica"  # ... and whatever has this in its name

Value = tuple[Mapping[str, str], float]
Scraper = tuple[tuple[str, str], ...]


def kind_of(labels: Mapping[str, str]) -> str:
    """Return who counts it: gateway, istio, queue-proxy or predictor."""
    if "envoy_cluster_name" in labels:
        return "gateway"
    name = labels.get("__name__")
    if name in istio.FAMILIES:
        return "istio"
    return "queue-proxy" if name in queue_proxy.QUEUE_FAMILIES else "predictor"


def pod_of(labels: Mapping[str, str]) -> str:
    """Return the pod's name, or its address; "" where there is neither."""
    return labels.get("pod") or labels.get("instance", "")


def once(
    kind: str, rows: Iterable[Value], doubts: list[str]
) -> tuple[Scraper, list[Value]]:
    """Return the series of one pod by one scraper, always the same of several.

    Its labels are part of the instance's name: where it goes, the next one's counters
    are not taken for those of this one.
    """
    found: dict[Scraper, list[Value]] = {}
    for labels, value in rows:
        names = (k for k in sorted(labels) if k in SCRAPER or REPLICA in k)
        by = tuple((name, labels[name]) for name in names)
        found.setdefault(by, []).append((labels, value))
    first = min(found)
    if len(found) > 1:
        differ = sorted({name for by in found for name, _ in set(by) ^ set(first)})
        doubts.append(
            f"{kind} series come {len(found)} times a pod, by {' and '.join(differ)}: "
            "each pod counts once"
        )
    return first, found[first]


def check(bad: Mapping[str, float], total: Mapping[str, float]) -> None:
    """Raises Odd where `bad` cannot be a part of `total`."""
    if bad.keys() - total.keys():
        raise Odd("bad has pods that total does not have")
    if any(value > total[pod] for pod, value in bad.items()):
        raise Odd("bad is more than total")


def name_of(kind: str, pod: str, scraper: Scraper) -> str:
    """Return an instance's name."""
    return " ".join((kind, pod, *(value for _, value in scraper)))


def newest(kind: str, rows: Iterable[Value]) -> dict[str, float]:
    """Return the largest value of each instance, by its name."""
    pods: dict[str, list[Value]] = {}
    for labels, value in rows:
        pods.setdefault(pod_of(labels), []).append((labels, value))
    found = {}
    for pod, values in pods.items():
        scraper, chosen = once(kind, values, [])
        found[name_of(kind, pod, scraper)] = max(value for _, value in chosen)
    return found


def with_own(reading: Reading, own: Reading) -> Reading:
    """Add a policy's own counters, as old as the presets of its arm on average."""
    found = {}
    for arm, samples in own.items():
        ages = [sample[READ_AT] for sample in reading.get(arm, {}).values()]
        at = {READ_AT: sum(ages) / len(ages)} if ages else {}
        found[arm] = {name: {**sample, **at} for name, sample in samples.items()}
    return merge(reading, found)
