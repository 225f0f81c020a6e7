"""The network between one promoter and the cluster: what urllib3 is elsewhere."""

import json
import re
from http import HTTPStatus
from typing import Any

import urllib3

from scripts.rollout.cluster.client import Object
from scripts.rollout.traffic.knative import GATEWAY_PORT, QUEUE_PORT
from tests.simulation import faults, pages
from tests.simulation.kubernetes import Conflicted, Kubernetes
from tests.simulation.process import Process
from tests.simulation.real_time import Pool
from tests.simulation.users import Pod

SERVER = "http://api"
PAGE = re.compile(r".*/pods/([^/:]+):(\d+)/proxy(.*)")
DEADLINE = re.compile(r"[?&]timeout=(\d+)s")
QUICK_S = 0.002  # one way
PATIENCE_S = 10.0  # what the client waits for an answer
NO = urllib3.exceptions.HTTPError


class Answer:
    """An HTTP answer; `content` may be shared, nobody changes it."""

    def __init__(self, status: int, content: Any, text: str | None = None) -> None:
        """Answer with an object, or with a text."""
        self.status, self.reason = status, HTTPStatus(status).phrase
        self._content, self._text = content, text
        self._unread = (text or "").encode()
        self.headers: dict[str, str] = {}

    def read(self, most: int, **_: object) -> bytes:
        """Return the next bytes of the body, b"" after the last."""
        part, self._unread = self._unread[:most], self._unread[most:]
        return part

    def close(self) -> None:
        """Leave the rest unread."""

    release_conn = close

    def json(self) -> Any:
        """Return the content. Raises ValueError where it is a text."""
        if self._text is not None:
            raise ValueError("not JSON")
        return self._content


class Wire(urllib3.PoolManager):
    """Carries one process's requests, or loses them."""

    def __init__(self, process: Process, cluster: Kubernetes) -> None:
        """Send on behalf of `process`."""
        super().__init__()
        self._process, self._cluster = process, cluster
        self._clock, self._faults = process.clock, process.faults

    def request(  # type: ignore[override]
        self, method: str, url: str, body: str | None = None, **_: object
    ) -> Answer:
        """Send a request and wait for its answer."""
        self._process.live()
        found = PAGE.match(url)
        if found and method == "GET":
            return self._page(found[1], int(found[2]))
        if found:
            return Answer(200, {})
        answer = self._asked(method, url.removeprefix(SERVER), body)
        self._process.live()
        return answer

    def _asked(self, method: str, path: str, body: str | None) -> Answer:
        clock, fault = self._clock, self._faults.strikes(faults.REQUESTS)
        match fault:
            case "lost":
                clock.sleep(PATIENCE_S)
                raise NO("timed out")
            case "late" if body:
                later = self._faults.random.uniform(0.0, 25.0)
                if later < _given_up(path):
                    clock.after(later, lambda: self._late(method, path, body))
                clock.sleep(PATIENCE_S)
                raise NO("timed out")
            case "slow" | "late":
                clock.sleep(self._faults.random.uniform(1.0, 8.0))
            case "garbled":
                clock.sleep(QUICK_S)
                return Answer(200, None, "<html>")
            case _ if fault.isdecimal():
                clock.sleep(QUICK_S)
                return Answer(int(fault), {"message": f"{fault} for some reason"})
        clock.sleep(QUICK_S)
        self._process.live()
        answer = self._served(method, path, body)
        if fault == "doubled":
            answer = self._served(method, path, body)
        clock.sleep(QUICK_S)
        if fault == "unanswered":
            raise NO("connection reset")
        return answer

    def _late(self, method: str, path: str, body: str) -> None:
        self._served(method, path, body)

    def _served(self, method: str, path: str, body: str | None) -> Answer:
        """Do what the API server does."""
        cluster, author = self._cluster, self._process.name
        try:
            if method == "GET":
                found = cluster.get(path)
            else:
                content: Object = json.loads(body or "{}")
                address = path.partition("?")[0]
                change = cluster.create if method == "POST" else cluster.patch
                found = change(address, content, author)
        except Conflicted:
            return Answer(409, {"message": f"{method} {path}: changed"})
        return (
            Answer(404, {"message": f"{path} not found"})
            if found is None
            else Answer(200, found)
        )

    def _page(self, name: str, port: int) -> Answer:
        users = self._cluster.users
        users.advance(self._clock.now)
        pod = users.gateways.get(name) or users.pods.get(name)
        fault = self._faults.strikes(faults.PAGES) or self._process.blind
        if pod is None or fault == "silent":
            raise NO("connection refused")
        if fault == "page 500":
            return Answer(500, {})
        if fault == "page slow":
            Pool.late_s = self._faults.random.uniform(1.0, 9.0)
        return Answer(200, None, _spoilt(_text(port, pod), fault))


def _given_up(path: str) -> float:
    """Return when the API server gives a request up, which a client may ask for."""
    found = DEADLINE.search(path)
    return float(found[1]) if found else 60.0


def _text(port: int, pod: Pod) -> str:
    if port == GATEWAY_PORT:
        return pages.gateway(pod)
    return pages.queue(pod) if port == QUEUE_PORT else pages.predictor(pod)


def _spoilt(page: str, fault: str) -> str:
    lines = page.splitlines(keepends=True)
    if not lines:
        return page
    match fault:
        case "page NaN":
            lines[-1] = f"{lines[-1].rpartition(' ')[0]} NaN\n"
        case "page huge":
            lines[0] = f"{lines[0].rpartition(' ')[0]} 1e300\n"
        case "page odd":
            lines[0] = f"{lines[0].rpartition(' ')[0]} \N{HORIZONTAL ELLIPSIS} abc\n"
    return "".join(lines)
