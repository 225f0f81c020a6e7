"""Asks both arms the same requests, in threads of its own, past the gateway.

A header marks these requests, so that nothing counts them as users' requests. Both
arms are asked one after the other in the way that the user asked; who is first is drawn
by lot for each request, so what the first one warms for the second favours neither. A
pod that has gone counts as no failure. Texts stay in memory.
"""

import math
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle

import urllib3

from scripts.rollout.errors import RemoteError
from scripts.rollout.metrics.port import Pages
from scripts.rollout.shadow.client import Client
from scripts.rollout.shadow.pairs import Pair
from scripts.rollout.shadow.requests import Lent
from scripts.rollout.shadow.sources import POLL_S, Shadow, Synthetic

# Seconds for which the addresses of pods are kept before they are looked up again.
FRESH_S = 3.0
# Pairs that are asked at once, and pairs that wait. Beyond that requests are dropped,
# which is no evidence against either arm.
WORKERS, MOST_WAITING = 16, 200
Find = Callable[[Sequence[str]], Pages | None]


class PairAsker:
    """Asks both arms the requests of a source, from the first `take` until `close`."""

    def __init__(
        self,
        source: Shadow | Synthetic,
        find: Find,
        http: urllib3.PoolManager,
        say: Callable[[str], None],
        *,
        counts: bool,
    ) -> None:
        """Ask the predictors that `find` returns; `counts`: the pairs are evidence."""
        self.name, self.counts = source.name, counts
        self._source, self._find, self._say = source, find, say
        self._client = Client(http, source.name)
        self._pool = ThreadPoolExecutor(WORKERS)
        self._lock = threading.Lock()
        self._found: list[Pair] = []
        self._waiting = 0
        self._arms = ("", "")
        self._known: dict[str, tuple[float, list[str]]] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def refuse_foreign(self, stable: str) -> None:
        """Raise RolloutError where this stable's predictors cannot be a source."""
        self._source.refuse_foreign(self._doors(stable))

    def take(self, canary: str, stable: str) -> list[Pair]:
        """Return the pairs since the last call; the first call starts the asking."""
        self._arms = canary, stable
        if not self._thread.is_alive():
            self._thread.start()
        with self._lock:
            found, self._found = self._found, []
        return found

    def close(self) -> None:
        """Stop asking; open requests are abandoned."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    def _work(self) -> None:
        said = ""
        while not self._ended.is_set():
            problem = self._ask_all()
            if problem and problem != said:
                self._say(f"no {self.name} requests: {problem}")
            said = problem
            self._ended.wait(POLL_S)

    def _ask_all(self) -> str:
        """Submit the requests that are due; return why that fails, "" if it works."""
        canary, stable = (self._doors(each) for each in self._arms)
        if not canary or not stable:
            return ""
        doors = zip(cycle(canary), cycle(stable), strict=False)
        try:
            for lent in self._source.requests((*stable, *canary)):
                if self._has_room():
                    self._pool.submit(self._ask_both, lent, *next(doors))
        except (urllib3.exceptions.HTTPError, ValueError, LookupError) as error:
            return str(error)
        return ""

    def _has_room(self) -> bool:
        """Reserve a place in the queue; return False if the queue is full."""
        with self._lock:
            has_room = self._waiting < MOST_WAITING
            self._waiting += has_room
        return has_room

    def _doors(self, revision: str, fresh_s: float = FRESH_S) -> list[str]:
        """Return the addresses of a revision's predictors, at most `fresh_s` old."""
        found_at, found = self._known.get(revision, (-math.inf, []))
        if time.monotonic() - found_at > fresh_s:
            try:
                pages = self._find([revision])
            except RemoteError:
                pages = None  # the reader of the counters meets and reports it
            found = [] if pages is None else list(map(pages.door, pages.predictors))
            self._known[revision] = time.monotonic(), found
        return found

    def _ask_both(self, lent: Lent, *doors: str) -> None:
        ports = [self._source.grpc_ports.get(door) for door in doors]
        asked = lent if None not in ports else lent.over_http
        found = {}
        for arm in random.sample((0, 1), 2):
            found[arm] = self._client.ask(doors[arm], asked, ports[arm])
        is_gone = any(
            found[arm].is_silent
            and doors[arm] not in self._doors(self._arms[arm], fresh_s=0.0)
            for arm in found
        )
        with self._lock:
            self._waiting -= 1
            if not is_gone:
                self._found.append(Pair(lent.name, found[0], found[1]))
