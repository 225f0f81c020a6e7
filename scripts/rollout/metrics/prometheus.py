"""Metrics from a Prometheus server, over its HTTP API: the same series as the pages."""

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from types import MappingProxyType
from typing import Any

import urllib3

from scripts.rollout.errors import Unreachable
from scripts.rollout.metrics import envoy, predictor, queue_proxy
from scripts.rollout.metrics.exposition import Series
from scripts.rollout.metrics.port import BAD, TOTAL, Reading, merged
from scripts.rollout.policy.metric import REVISION, PromQL

TIMEOUT_S = 10.0  # a look: whatever takes longer is silence
# Prometheus refuses more than 11,000 points a series.
MOST_POINTS = 5000
OWN = "promql"


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
        self._url = url.rstrip("/")
        self._namespace = namespace
        self._counts = counts
        self._http = urllib3.PoolManager(retries=False)

    def read(self, revisions: Sequence[str]) -> Reading | None:
        """Both arms now; None where the server knows neither. Raises Unreachable."""
        found = [
            self._ask("query", {"query": query}) for query in self._queries(revisions)
        ]
        own = {each: {OWN: self._own(each)} for each in revisions if self._custom}
        vectors = [
            (each["metric"], float(each["value"][1])) for rows in found for each in rows
        ]
        reading = self._reading(vectors)
        return merged(reading, own) if reading else None

    def history(
        self, revision: str, seconds: float, step: float
    ) -> list[tuple[float, Reading]]:
        """Readings of one revision over the last `seconds`. Raises Unreachable."""
        (now,) = {
            float(row["value"][0]) for row in self._ask("query", {"query": "vector(1)"})
        }
        window = {
            "start": f"{now - seconds:.3f}",
            "end": f"{now:.3f}",
            "step": f"{max(step, seconds / MOST_POINTS):.3f}",
        }
        by_time: dict[float, list[tuple[Mapping[str, str], float]]] = {}
        for query in self._queries([revision]):
            for row in self._ask("query_range", {"query": query, **window}):
                for time, value in row["values"]:
                    by_time.setdefault(float(time), []).append(
                        (row["metric"], float(value))
                    )
        return [(time, self._reading(rows)) for time, rows in sorted(by_time.items())]

    def _own(self, revision: str) -> dict[str, float]:
        """The custom metrics' counters of one revision; a sum where there are more."""
        found = {}
        for name, queries in self._custom.items():
            for kind, query in ((BAD, queries.bad), (TOTAL, queries.total)):
                rows = self._ask("query", {"query": query.replace(REVISION, revision)})
                if rows:
                    found[kind + name] = sum(float(row["value"][1]) for row in rows)
        return found

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

    def _reading(self, rows: Iterable[tuple[Mapping[str, str], float]]) -> Reading:
        """Group by instance what Prometheus has flattened."""
        pages: dict[tuple[str, str, str], list[Series]] = {}
        for labels, value in rows:
            each = Series(labels["__name__"], labels, value)
            instance = labels.get("pod") or labels.get("instance", "")
            key = (_kind(each), instance, labels.get("revision", ""))
            pages.setdefault(key, []).append(each)
        found = [self._page(key[0], key[1], lines) for key, lines in pages.items()]
        return reduce(merged, found, {})

    def _page(self, kind: str, instance: str, lines: list[Series]) -> Reading:
        """Two kinds of one pod are two instances."""
        name = f"{kind} {instance}"
        match kind:
            case "gateway":
                return envoy.from_proxy(lines, self._namespace, name)
            case "queue-proxy":
                return queue_proxy.from_queue(lines, name)
        is_last = self._counts == "predictor"
        return predictor.from_predictor(lines, name, with_http=is_last)

    def _ask(self, what: str, fields: Mapping[str, str]) -> list[dict[str, Any]]:
        url = f"{self._url}/api/v1/{what}"
        try:
            answer = self._http.request(
                "POST",
                url,
                fields=dict(fields),
                encode_multipart=False,
                timeout=TIMEOUT_S,
            )
            content = answer.json()
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise Unreachable(f"{self._url}: {error}") from error
        if not isinstance(content, dict) or content.get("status") != "success":
            reason = content.get("error") if isinstance(content, dict) else "no answer"
            raise Unreachable(f"{self._url}: {reason}")
        return list(content["data"]["result"])


def _kind(each: Series) -> str:
    if "envoy_cluster_name" in each.labels:
        return "gateway"
    return "queue-proxy" if each.name in queue_proxy.QUEUE_FAMILIES else "predictor"
