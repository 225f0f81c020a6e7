"""Metrics from a Prometheus server, over its HTTP API: the same series as the pages."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import reduce
from types import MappingProxyType

from scripts.rollout.errors import Unreachable
from scripts.rollout.metrics import envoy, istio, predictor, queue_proxy
from scripts.rollout.metrics.exposition import Series
from scripts.rollout.metrics.port import BAD, READ_AT, TOTAL, Reading, Scraped, merge
from scripts.rollout.metrics.prometheus import promql
from scripts.rollout.metrics.prometheus.api import Api, Odd
from scripts.rollout.metrics.prometheus.pods import (
    Value,
    check,
    kind_of,
    name_of,
    newest,
    once,
    pod_of,
    with_own,
)
from scripts.rollout.policy.metric import REVISION, PromQL
from scripts.rollout.policy.prometheus import PrometheusServer

# Prometheus refuses more than 11,000 points a series.
MOST_POINTS = 5000
OWN = "promql"
LOOK_S, HISTORY_S = 10.0, 60.0  # for all questions; whatever takes longer is silence


class Prometheus:
    """Asks for both arms' counters; adding up and comparing happens elsewhere."""

    def __init__(
        self,
        server: PrometheusServer,
        namespace: str,
        counts: str,
        custom: Mapping[str, PromQL] = MappingProxyType({}),
    ) -> None:
        """Ask the server; `counts` says who counts requests.

        `custom`: queries of the metrics that bring their own, by name.
        """
        self._custom = custom
        self._url = server.url
        self._api = Api(server)
        self._namespace = namespace
        self._counts = counts

    def read(self, revisions: Sequence[str]) -> Scraped:
        """Read both arms now. Raises Unreachable, also where neither is known."""
        doubts: list[str] = []
        self._api.begin(LOOK_S)
        rows, at = self._now(revisions, doubts)
        own = {each: self._own(each, at, doubts) for each in revisions}
        reading = self._aged(self._reading(rows, doubts), revisions, at)
        if not reading:
            known = doubts or [f"no series of {' or '.join(revisions)}"]
            raise Unreachable(f"{self._url}: {known[0]}")
        return Scraped(with_own(reading, own), tuple(dict.fromkeys(doubts)))

    def history(
        self, revision: str, seconds: float, step: float
    ) -> list[tuple[float, Reading]]:
        """Read one revision over the last `seconds`. Raises Unreachable."""
        self._api.begin(HISTORY_S)
        try:
            (now,) = {row.value[0] for row in self._api.vector("vector(1)")}
            past = {
                "start": now - seconds,
                "end": now,
                "step": max(step, seconds / MOST_POINTS),
            }
            found = [
                series
                for query in promql.queries(self._namespace, self._counts, [revision])
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
        """Return the presets' series, and the one time at which all were asked for."""
        found: list[Value] = []
        at: float | None = None
        for query in promql.queries(self._namespace, self._counts, revisions):
            try:
                rows = self._api.vector(query, at)
                found += [(row.metric, row.number) for row in rows]
            except Odd as error:
                doubts.append(f"no data: {error}, from {query}")
            else:
                at = rows[0].value[0] if rows else at
        return found, at

    def _aged(
        self, reading: Reading, revisions: Sequence[str], at: float | None
    ) -> Reading:
        """Add the time of each instance's last scrape, by our own clock."""
        ages: dict[str, float] = {}
        for kind, query in promql.times(self._namespace, self._counts, revisions):
            with suppress(Odd):
                rows = self._api.vector(query, at)
                values = [(row.metric, row.number - row.value[0]) for row in rows]
                ages |= newest(kind, values)
        now = time.time()
        return {
            revision: {
                name: {**sample, READ_AT: now + ages.get(name, 0.0)}
                for name, sample in samples.items()
            }
            for revision, samples in reading.items()
        }

    def _own(
        self, revision: str, at: float | None, doubts: list[str]
    ) -> dict[str, dict[str, float]]:
        """Return the custom metrics' counters of one revision, pod by pod."""
        found: dict[str, dict[str, float]] = {}
        for name, queries in self._custom.items():
            try:
                bad = self._by_pod(queries.bad, revision, at, doubts)
                total = self._by_pod(queries.total, revision, at, doubts)
                check(bad, total)
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
        """Ask for one value of each pod. Raises Odd, which names the query."""
        asked = query.replace(REVISION, revision)
        try:
            rows = self._api.vector(asked, at)
            values = [(row.metric, row.number) for row in rows]
        except Odd as error:
            raise Odd(f"{error}, from {query}") from error
        pods: dict[str, list[Value]] = {}
        for labels, value in values:
            pods.setdefault(pod_of(labels), []).append((labels, value))
        chosen = {pod: once(OWN, rows, doubts)[1] for pod, rows in pods.items()}
        return {pod: sum(value for _, value in rows) for pod, rows in chosen.items()}

    def _reading(self, rows: Iterable[Value], doubts: list[str]) -> Reading:
        """Group by instance what Prometheus has flattened."""
        pages: dict[tuple[str, str, str], list[Value]] = {}
        for labels, value in rows:
            key = (kind_of(labels), pod_of(labels), labels.get("revision", ""))
            pages.setdefault(key, []).append((labels, value))
        return reduce(merge, self._pages(pages, doubts), {})

    def _pages(
        self, pages: Mapping[tuple[str, str, str], list[Value]], doubts: list[str]
    ) -> Iterator[Reading]:
        for (kind, pod, _), rows in pages.items():
            if not pod:
                doubts.append(f"no data: {kind} series without a label pod or instance")
                continue
            scraper, chosen = once(kind, rows, doubts)
            name = name_of(kind, pod, scraper)
            lines = [
                Series(labels.get("__name__", ""), labels, v) for labels, v in chosen
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
            case "istio":
                return istio.from_istio(lines, name)
            case "queue-proxy":
                return queue_proxy.from_queue(lines, name)
        is_last, by_istio = self._counts == "predictor", self._counts == "istio"
        return predictor.from_predictor(
            lines, name, with_http=is_last, with_grpc=not by_istio
        )
