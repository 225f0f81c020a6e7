"""Metrics read straight from pages: the gateway's, and every predictor's.

All pages at once. One that is slow does not hold up the others, and is not asked again
before it has answered or failed.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import reduce

import urllib3

from scripts.rollout import series
from scripts.rollout.counters import merged
from scripts.rollout.ports import Pages, Reading

WORKERS = 32
PATIENCE_S = 2.0
TIMEOUT_S = 10.0


class Scrape:
    """Reads the pages that `find` names for some revisions, None where it cannot."""

    def __init__(
        self,
        namespace: str,
        find: Callable[[Sequence[str]], Pages | None],
        patience_s: float = PATIENCE_S,
        http: urllib3.PoolManager | None = None,
    ) -> None:
        """Wait at most `patience_s` for all pages of one reading, asked over `http`."""
        self._patience_s = patience_s
        self._namespace = namespace
        self._find = find
        self._http = http or urllib3.PoolManager(num_pools=1024, retries=False)
        self._pool = ThreadPoolExecutor(WORKERS)
        self._pending: dict[str, Future[str | None]] = {}

    def read(self, revisions: Sequence[str]) -> Reading | None:
        """Everything that answers; None where the gateway, or nobody, does."""
        pages = self._find(revisions)
        if pages is None:
            return None
        texts = self._get_all([pages.gateway or "", *pages.predictors])
        found = []
        if pages.gateway is not None:
            page = texts[pages.gateway]
            if page is None:
                return None
            lines = series.parse(page, series.proxy_names())
            found.append(series.from_proxy(lines, self._namespace, "gateway"))
        for url in pages.predictors:
            page = texts[url]
            if page is not None:
                lines = series.parse(page, series.PREDICTOR_FAMILIES)
                found.append(series.from_predictor(lines, url))
        return _only(reduce(merged, found), revisions) if found else None

    def history(
        self, revision: str, seconds: float, step: float
    ) -> list[tuple[float, Reading]]:
        """Pages know no past."""
        del revision, seconds, step
        return []

    def _get_all(self, urls: Sequence[str]) -> dict[str, str | None]:
        for url in filter(None, urls):
            if url not in self._pending:
                self._pending[url] = self._pool.submit(self._get, url)
        asked = {url: self._pending[url] for url in urls if url}
        wait(asked.values(), timeout=self._patience_s)
        texts: dict[str, str | None] = {}
        for url, future in asked.items():
            texts[url] = future.result() if future.done() else None
        self._pending = {u: f for u, f in self._pending.items() if not f.done()}
        return texts

    def _get(self, url: str) -> str | None:
        try:
            answer = self._http.request("GET", url, timeout=TIMEOUT_S)
        except urllib3.exceptions.HTTPError:
            return None
        return answer.data.decode() if answer.status == 200 else None


def _only(reading: Reading, revisions: Sequence[str]) -> Reading:
    return {name: reading[name] for name in revisions if name in reading}
