"""Metrics read straight from pages: gateways', queue-proxies' and predictors'.

All pages at once. One that is slow does not hold up the others, and is not asked again
before it has answered or failed.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import reduce
from http import HTTPStatus

import urllib3

from scripts.rollout.bounded import MIB, ask, in_time
from scripts.rollout.errors import Unreachable
from scripts.rollout.metrics import envoy, exposition, port, predictor, queue_proxy
from scripts.rollout.metrics.failure import why
from scripts.rollout.metrics.port import Pages, Reading, Scraped, merge

# Pages asked for at once: 300 are read within a second (tests/bench/looks.py).
WORKERS = 32
PATIENCE_S = 2.0  # of the ten seconds of a look; what comes later counts at the next
TIMEOUT_S = 10.0  # of a whole page; then it is given up and asked anew
# A pod of 151 intents says 50 KB; a gateway's page has each revision of a cluster.
MOST_OF_POD, MOST_OF_GATEWAY = MIB, 16 * MIB


@dataclass(frozen=True, slots=True)
class _Doubt:
    """Why a page that answered is no data."""

    text: str


Answer = Reading | _Doubt | Unreachable


class Scrape:
    """Reads the pages that `find` names for some revisions."""

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
        self._http = http or in_time(urllib3.PoolManager(num_pools=1024, retries=False))
        self._pool = ThreadPoolExecutor(WORKERS)
        self._pending: dict[str, Future[Answer]] = {}

    def read(self, revisions: Sequence[str]) -> Scraped:
        """Return the pages that answer, None if no page that counts requests does."""
        pages = self._find(revisions)
        if pages is None:
            raise Unreachable("where requests are counted is not known now")
        answers = self._get_all(pages)
        if all(isinstance(answers[url], Unreachable) for url in pages.counting):
            raise _silence(pages, answers)
        found = [each for each in answers.values() if isinstance(each, Mapping)]
        odd = [each.text for each in answers.values() if isinstance(each, _Doubt)]
        doubts = [*pages.doubts, *odd]
        if not found:
            raise Unreachable(odd[0])
        reading = _only(reduce(merge, found), revisions)
        unread = (u for u, each in answers.items() if not isinstance(each, Mapping))
        whole = not self.is_waiting
        return Scraped(reading, tuple(doubts), is_whole=whole, unread=frozenset(unread))

    @property
    def is_waiting(self) -> bool:
        """Return whether a page has not answered the last reading yet."""
        return bool(self._pending)

    def _reading(self, pages: Pages, url: str, text: str) -> Reading:
        if url in pages.gateways:
            lines = exposition.parse(text, envoy.proxy_names())
            return envoy.from_proxy(lines, self._namespace, url, pages.clusters)
        if url in pages.queues:
            return queue_proxy.from_queue(
                exposition.parse(text, queue_proxy.QUEUE_FAMILIES), url
            )
        lines = exposition.parse(text, predictor.PREDICTOR_FAMILIES)
        found = predictor.from_predictor(
            lines, url, with_http=pages.with_http, with_grpc=pages.with_grpc
        )
        return {pages.arms.get(url, name): found[name] for name in found}

    def history(
        self, revision: str, seconds: float, step: float
    ) -> list[tuple[float, Reading]]:
        """Return []: metrics pages keep no history."""
        del revision, seconds, step
        return []

    def _get_all(self, pages: Pages) -> dict[str, Answer]:
        """Return the pages that answer in time."""
        urls = (*pages.gateways, *pages.queues, *pages.predictors)
        for url in urls:
            if url not in self._pending:
                self._pending[url] = self._pool.submit(self._get, pages, url)
        asked = {url: self._pending[url] for url in urls}
        wait(asked.values(), timeout=self._patience_s)
        late = Unreachable("no answer in time")
        answers = {u: f.result() if f.done() else late for u, f in asked.items()}
        self._pending = {u: f for u, f in self._pending.items() if not f.done()}
        return answers

    def _get(self, pages: Pages, url: str) -> Answer:
        """Ask for a page and read it; only the counters of it are kept."""
        most = MOST_OF_GATEWAY if url in pages.gateways else MOST_OF_POD
        try:
            answer = ask(self._http, "GET", url, most=most, seconds=TIMEOUT_S)
        except urllib3.exceptions.HTTPError as error:
            return Unreachable(why(error))
        if answer.status != HTTPStatus.OK:
            return Unreachable(f"HTTP {answer.status}")
        at = time.time()
        try:
            return port.aged(self._reading(pages, url, answer.text), at)
        except KeyError as error:
            return _Doubt(f"no data: {url}: a series without a label {error}")
        except ValueError as error:
            return _Doubt(f"no data: {url}: {error}")


def _silence(pages: Pages, answers: Mapping[str, Answer]) -> Unreachable:
    """Return the first reason of those who count; most often all have the same."""
    if not pages.counting:
        return Unreachable("no pod that counts requests")
    first = pages.counting[0]
    hint = f"; {pages.unread}" if pages.unread else ""
    return Unreachable(f"{first}: {answers[first]}{hint}")


def _only(reading: Reading, revisions: Sequence[str]) -> Reading:
    return {name: reading[name] for name in revisions if name in reading}
