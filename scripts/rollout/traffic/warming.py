"""Sends a round of the canary's warm-up: to every pod, by every protocol it serves."""

import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

import urllib3

from scripts.rollout.cluster import pods
from scripts.rollout.cluster.client import Cluster, Object
from scripts.rollout.state.actions import Warmed, WarmUp

WORKERS = 16  # pods and protocols at once
LONGEST_S = 3.0  # one round: between two rounds people are heard and Leases renewed
SERVER_S = 10.0
# A server's words for a protocol that it does not serve: HTTP's and gRPC's.
UNSERVED = ("404", "405", "501", "UNIMPLEMENTED")


@dataclass(frozen=True, slots=True)
class Door:
    """One pod by one protocol; `ask` returns an HTTP status, gRPC's code or "none".

    `path` is what it asks for.
    """

    pod: str
    protocol: str
    ask: Callable[[], str]
    path: str = ""


@dataclass(slots=True)
class _Visit:
    """What one door answered; `took` is in seconds."""

    door: Door
    codes: set[str] = field(default_factory=set)
    failed: int = 0
    slow: int = 0
    took: list[float] = field(default_factory=list)


def warm_up(doors: Sequence[Door], asked: WarmUp) -> Warmed:
    """Send as many requests as are asked for through each door."""
    with ThreadPoolExecutor(WORKERS) as pool:
        visits = list(pool.map(lambda door: _visit(door, asked), doors))
    served = [visit for visit in visits if visit.took]
    took = [seconds for visit in served for seconds in visit.took]
    return Warmed(
        sent=len(took),
        failed=sum(visit.failed for visit in served),
        slow=sum(visit.slow for visit in served),
        pods=len({visit.door.pod for visit in served}),
        protocols=tuple(dict.fromkeys(visit.door.protocol for visit in served)),
        p50_ms=round(1000 * statistics.median(took), 1) if took else 0.0,
        refused=_refused(visits),
    )


def http_doors(
    cluster: Cluster,
    urls: Iterable[str],
    model: str,
    asked: WarmUp,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> list[Door]:
    """Return a door per pod at these addresses and per protocol over HTTP.

    The policy's own request, where there is one, is the only protocol.
    """
    requests: Mapping[str, tuple[str, Object | str]] = pods.requests_to(model)
    if asked.path:
        requests = {asked.path: (asked.path, asked.body)}
    return [
        Door(url, protocol, partial(cluster.answer, url + path, body, headers), path)
        for url in urls
        for protocol, (path, body) in requests.items()
    ]


def address_doors(http: urllib3.PoolManager, address: str, model: str) -> list[Door]:
    """Return a door for each protocol over HTTP of a server outside a cluster."""
    return [
        Door(address, protocol, partial(_status, http, f"http://{address}{path}", body))
        for protocol, (path, body) in pods.requests_to(model).items()
    ]


def _status(http: urllib3.PoolManager, url: str, body: Object) -> str:
    try:
        answer = http.request("POST", url, json=body, timeout=SERVER_S)
    except urllib3.exceptions.HTTPError:
        return "none"
    return str(answer.status)


def _visit(door: Door, asked: WarmUp) -> _Visit:
    visit, began = _Visit(door), time.monotonic()
    while len(visit.took) < asked.requests and time.monotonic() - began < LONGEST_S:
        start = time.perf_counter()
        code = door.ask()
        took = time.perf_counter() - start
        visit.codes.add(code)
        if code in UNSERVED:
            break
        is_failure = _is_failure(code)
        visit.took.append(took)
        visit.failed += is_failure
        visit.slow += not is_failure and 0 < asked.slow_s < took
    return visit


def _refused(visits: Sequence[_Visit]) -> tuple[str, ...]:
    """Return what was answered to what, if no door took a single request."""
    codes = {code for visit in visits for code in visit.codes}
    if not all(code.startswith("4") or code in UNSERVED for code in codes):
        return ()
    said = (
        f"{code} at {visit.door.path or visit.door.protocol}"
        for visit in visits
        for code in sorted(visit.codes)
    )
    return tuple(dict.fromkeys(said))


def _is_failure(code: str) -> bool:
    """Return whether the code is a server's failure: 5xx, no answer, or gRPC's."""
    return code.startswith("5") or not (code.isdecimal() or code == "OK")
