"""Metrics from a Prometheus server, over its HTTP API: the same series as the pages."""

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import Any

import urllib3

from scripts.rollout import series
from scripts.rollout.counters import merged
from scripts.rollout.errors import Unreachable
from scripts.rollout.ports import Reading
from scripts.rollout.series import Series

TIMEOUT_S = 10.0
MOST_POINTS = 5000


class Prometheus:
    """Asks for both arms' counters; adding up and comparing happens elsewhere."""

    def __init__(self, url: str, namespace: str, *, is_grpc: bool) -> None:
        """Ask the server at `url`; the proxy does not count where all is gRPC."""
        self._url = url.rstrip("/")
        self._namespace = namespace
        self._is_grpc = is_grpc
        self._http = urllib3.PoolManager(retries=False)

    def read(self, revisions: Sequence[str]) -> Reading | None:
        """Both arms now; None where the server does not answer or knows neither."""
        try:
            found = [
                self._ask("query", {"query": query})
                for query in self._queries(revisions)
            ]
        except Unreachable:
            return None
        vectors = [
            (each["metric"], float(each["value"][1])) for rows in found for each in rows
        ]
        return self._reading(vectors) or None

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

    def _queries(self, revisions: Sequence[str]) -> list[str]:
        names = "|".join(series.PREDICTOR_FAMILIES[:-1])
        wanted = "|".join(revisions)
        queries = [f'{{__name__=~"{names}",revision=~"{wanted}"}}']
        if not self._is_grpc:
            names = "|".join(series.proxy_names())
            clusters = "|".join(f"{self._namespace}/{each}" for each in revisions)
            queries.append(f'{{__name__=~"{names}",envoy_cluster_name=~"{clusters}"}}')
        return queries

    def _reading(self, rows: Iterable[tuple[Mapping[str, str], float]]) -> Reading:
        """Group by instance what Prometheus has flattened."""
        pages: dict[tuple[str, str], list[Series]] = {}
        for labels, value in rows:
            each = Series(labels["__name__"], labels, value)
            instance = labels.get("pod") or labels.get("instance", "")
            pages.setdefault((instance, labels.get("revision", "")), []).append(each)
        found: list[Reading] = []
        for (instance, revision), lines in pages.items():
            if revision:
                found.append(series.from_predictor(lines, instance))
            else:
                found.append(series.from_proxy(lines, self._namespace, instance))
        return reduce(merged, found, {})

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
