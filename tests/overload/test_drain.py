"""SIGTERM under load: no client without retries, and without a gateway, loses one."""

import http.client
import signal
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.predictors import Predictor, predictor

KEPT, NEW = 8, 4
BODY = b'{"instances": ["where is my parcel?"]}'
KINDS = {"hot": "application/json", "ordinary": "application/json;charset=utf-8"}


class Clients:
    """Clients that ask until the server says that it is not ready; no one retries."""

    def __init__(self, server: Predictor, kind: str) -> None:
        """Begin to ask, with this content type."""
        self._headers = {"content-type": kind}
        self._address = urlsplit(server.url).netloc
        self._is_over = threading.Event()
        self.answered, self.closing = 0, 0
        self.lost: list[str] = []
        asks = [self._keep] * KEPT + [self._renew] * NEW + [self._watch]
        self._threads = [threading.Thread(target=each) for each in asks]
        for each in self._threads:
            each.start()

    def join(self) -> None:
        """Wait for all of them."""
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
            connection.request("POST", "/v1/models/intent:predict", BODY, self._headers)
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

    def _watch(self) -> None:
        """Stand in for what takes an endpoint away when its pod is not ready."""
        while not self._is_over.wait(0.02):
            connection = http.client.HTTPConnection(self._address, timeout=10)
            connection.request("GET", "/v2/models/intent/ready")
            if connection.getresponse().status != 200:
                self._is_over.wait(0.3)  # it takes time until everybody knows
                self._is_over.set()
            connection.close()


@pytest.mark.parametrize("way", KINDS)
def test_no_request_is_lost_when_the_server_ends(tmp_path: Path, way: str) -> None:
    with predictor(tmp_path) as server:
        clients = Clients(server, KINDS[way])
        while clients.answered < 200:
            assert not clients.lost
        server.process.send_signal(signal.SIGTERM)
        clients.join()
        assert server.process.wait(timeout=20) == 0
    assert clients.lost == []
    assert clients.closing >= KEPT
    assert "ERROR" not in server.log.read_text()
