"""Callers without retries, who know each request that they lost."""

import http.client
import threading
from collections.abc import Mapping

KEPT, NEW = 8, 4  # with a connection each, and with one for each request
PATH = "/v1/models/intent:predict"
BODY = b'{"instances": ["where is my parcel?"]}'
KINDS = {"hot": "application/json", "ordinary": "application/json;charset=utf-8"}
READY = "/v2/models/intent/ready"


class Callers:
    """Ask one after the other until `end`; a fault ends all."""

    def __init__(self, address: str, headers: Mapping[str, str]) -> None:
        """Begin to ask at `host:port`."""
        self._address, self._headers = address, headers
        self._is_over = threading.Event()
        self.answered, self.closing = 0, 0
        self.lost: list[str] = []
        asks = [self._keep] * KEPT + [self._renew] * NEW
        self._threads = [threading.Thread(target=each) for each in asks]
        for each in self._threads:
            each.start()

    def end_when_unready(self) -> None:
        """Stand in for what takes an endpoint away when its pod is not ready."""
        while not self._is_over.wait(0.02):
            connection = http.client.HTTPConnection(self._address, timeout=10)
            connection.request("GET", READY)
            if connection.getresponse().status != 200:
                self._is_over.wait(0.3)  # it takes time until everybody knows
                self._is_over.set()
            connection.close()
        self.end()

    def end(self) -> None:
        """Ask no more, and wait for the last answers."""
        self._is_over.set()
        for each in self._threads:
            each.join(timeout=30)

    def _keep(self) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=10)
        while not self._is_over.is_set():
            self._ask(connection)
        connection.close()

    def _renew(self) -> None:
        while not self._is_over.is_set():
            connection = http.client.HTTPConnection(self._address, timeout=10)
            self._ask(connection)
            connection.close()

    def _ask(self, connection: http.client.HTTPConnection) -> None:
        try:
            connection.request("POST", PATH, BODY, dict(self._headers))
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as fault:
            self.lost.append(repr(fault))
            self._is_over.set()
            return
        if answer.status != 200:
            self.lost.append(str(answer.status))
        self.answered += 1
        self.closing += answer.getheader("connection") == "close"
