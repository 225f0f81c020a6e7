"""Metrics from a Prometheus server, over its HTTP API: the same series as the pages."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from types import MappingProxyType

from scripts.rollout.errors import Unreachable
from scripts.rollout.metrics import envoy, predictor, queue_proxy
from scripts.rollout.metrics.exposition import Series
from scripts.rollout.metrics.port import BAD, TOTAL, Reading, Scraped, merged
from scripts.rollout.metrics.prometheus_api import Api, Odd
from scripts.rollout.policy.metric import REVISION, PromQL

# Prometheus refuses more than 11,000 points a series.
MOST_POINTS = 5000
OWN = "promql"
# Labels that say who scraped, not what: a pod of two jobs, or of a pair of servers.
SCRAPER = ("endpoint", "instance", "job", "prometheus")
REPLICA = "replica"  # ... and whatever has this in its name

Value = tuple[Mapping[str, str], float]
Scraper = tuple[tuple[str, str], ...]


class Prometheus:
    """Asks for both arms' counters; adding up and comparing happens elsewhere."""

    def __init__(
        self,
        url: str,
        namespace: str,
        counts: str,
        custom: Mapping[str, PromQL] = MappingProxyType({}),
    ) -> None:
        """Ask the server at `url`; `counts` says who counts requests.

        `custom`: queries of the metrics that bring their own, by name.
        """
        self._custom = custom
        self._url = url
        self._api = Api(url)
        self._namespace = namespace
        self._counts = counts

    def read(self, revisions: Sequence[str]) -> Scraped:
        """Both arms now. Raises Unreachable, also where the server knows neither."""
        doubts: list[str] = []
        rows, at = self._now(revisions, doubts)
        own = {each: self._own(each, at, doubts) for each in revisions}
        reading = self._reading(rows, doubts)
        if not reading:
            known = doubts or [f"no series of {' or '.join(revisions)}"]
            raise Unreachable(f"{self._url}: {known[0]}")
        return Scraped(merged(reading, own), tuple(dict.fromkeys(doubts)))

    def history(
        self, revision: str, seconds: float, step: float
    ) -> list[tuple[float, Reading]]:
        """Readings of one revision over the last `seconds`. Raises Unreachable."""
        try:
            (now,) = {row.value[0] for row in self._api.vector("vector(1)")}
            past = {
                "start": now - seconds,
                "end": now,
                "step": max(step, seconds / MOST_POINTS),
            }
            found = [
                series
                for query in self._queries([revision])
                for series in self._api.matrix(query, **past)
            ]
        except (Odd, ValueError) as error:
            raise Unreachable(f"no history that can be read: {error}") from error
        by_time: dict[float, list[Value]] = {}
        for series in found:
            for when, value in series.numbers():
                by_time.setdefault(when, []).append((series.metric, value))
        return [
            (when, self._reading(rows, [])) for when, rows in sorted(by_time.items())
        ]

    def _now(
        self, revisions: Sequence[str], doubts: list[str]
    ) -> tuple[list[Value], float | None]:
        """The presets' series, and the one time at which all of them were asked for."""
        found: list[Value] = []
        at: float | None = None
        for query in self._queries(revisions):
            try:
                rows = self._api.vector(query, at)
                found += [(row.metric, row.number) for row in rows]
            except Odd as error:
                doubts.append(f"no data: {error}, from {query}")
            else:
                at = rows[0].value[0] if rows else at
        return found, at

    def _own(
        self, revision: str, at: float | None, doubts: list[str]
    ) -> dict[str, dict[str, float]]:
        """The custom metrics' counters of one revision, pod by pod."""
        found: dict[str, dict[str, float]] = {}
        for name, queries in self._custom.items():
            try:
                bad = self._by_pod(queries.bad, revision, at, doubts)
                total = self._by_pod(queries.total, revision, at, doubts)
                _check(bad, total)
            except Odd as error:
                doubts.append(f"{name}: no data: {error}")
                continue
            for kind, counters in ((BAD, bad), (TOTAL, total)):
                for pod, value in counters.items():
                    found.setdefault(f"{OWN} {pod}", {})[kind + name] = value
        return found

    def _by_pod(
        self, query: str, revision: str, at: float | None, doubts: list[str]
    ) -> dict[str, float]:
        """Raises Odd, which names the query."""
        asked = query.replace(REVISION, revision)
        try:
            rows = self._api.vector(asked, at)
            values = [(row.metric, row.number) for row in rows]
        except Odd as error:
            raise Odd(f"{error}, from {query}") from error
        pods: dict[str, list[Value]] = {}
        for labels, value in values:
            pods.setdefault(_pod(labels), []).append((labels, value))
        once = {pod: _once(OWN, rows, doubts)[1] for pod, rows in pods.items()}
        return {pod: sum(value for _, value in rows) for pod, rows in once.items()}

    def _queries(self, revisions: Sequence[str]) -> list[str]:
        names = "|".join(predictor.PREDICTOR_FAMILIES[:-1])
        wanted = "|".join(revisions)
        queries = [f'{{__name__=~"{names}",revision=~"{wanted}"}}']
        if self._counts == "queue-proxy":
            info = f'{queue_proxy.QUEUE_INFO}{{kn_revision_name=~"{wanted}"}}'
            names = f"({queue_proxy.QUEUE}|{queue_proxy.QUEUE_119})(bucket|count)"
            old = f"{queue_proxy.QUEUE_118}(count|latencies_bucket|latencies_count)"
            queries += [
                info,
                f'{{__name__=~"{names}"}} and on (job, instance) {info}',
                f'{{__name__=~"{old}",revision_name=~"{wanted}"}}',
            ]
        if self._counts == "gateway":
            names = "|".join(envoy.proxy_names())
            clusters = "|".join(f"{self._namespace}/{each}" for each in revisions)
            queries.append(f'{{__name__=~"{names}",envoy_cluster_name=~"{clusters}"}}')
        return queries

    def _reading(self, rows: Iterable[Value], doubts: list[str]) -> Reading:
        """Group by instance what Prometheus has flattened."""
        pages: dict[tuple[str, str, str], list[Value]] = {}
        for labels, value in rows:
            key = (_kind(labels), _pod(labels), labels.get("revision", ""))
            pages.setdefault(key, []).append((labels, value))
        return reduce(merged, self._pages(pages, doubts), {})

    def _pages(
        self, pages: Mapping[tuple[str, str, str], list[Value]], doubts: list[str]
    ) -> Iterator[Reading]:
        for (kind, pod, _), rows in pages.items():
            if not pod:
                doubts.append(f"no data: {kind} series without a label pod or instance")
                continue
            scraper, once = _once(kind, rows, doubts)
            name = " ".join((kind, pod, *(value for _, value in scraper)))
            lines = [
                Series(labels.get("__name__", ""), labels, v) for labels, v in once
            ]
            try:
                yield self._page(kind, name, lines)
            except KeyError as error:
                doubts.append(f"no data: {kind} series without a label {error}")
            except ValueError:
                doubts.append(f"no data: {kind} series with an le that is no number")

    def _page(self, kind: str, name: str, lines: list[Series]) -> Reading:
        """Two kinds of one pod are two instances."""
        match kind:
            case "gateway":
                return envoy.from_proxy(lines, self._namespace, name)
            case "queue-proxy":
                return queue_proxy.from_queue(lines, name)
        is_last = self._counts == "predictor"
        return predictor.from_predictor(lines, name, with_http=is_last)


def _kind(labels: Mapping[str, str]) -> str:
    if "envoy_cluster_name" in labels:
        return "gateway"
    name = labels.get("__name__")
    return "queue-proxy" if name in queue_proxy.QUEUE_FAMILIES else "predictor"


def _pod(labels: Mapping[str, str]) -> str:
    return labels.get("pod") or labels.get("instance", "")


def _once(
    kind: str, rows: Iterable[Value], doubts: list[str]
) -> tuple[Scraper, list[Value]]:
    """The series of one pod as one scraper has them, always the same of several.

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


def _check(bad: Mapping[str, float], total: Mapping[str, float]) -> None:
    """Raises Odd where `bad` cannot be a part of `total`."""
    if bad.keys() - total.keys():
        raise Odd("bad has pods that total does not have")
    if any(value > total[pod] for pod, value in bad.items()):
        raise Odd("bad is more than total")
