"""SIGTERM under load: no caller without retries loses one, and no attacker holds it."""

import signal
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from predictor.overload.limits import SHORT_BODY
from tests.overload.attack import head, wire
from tests.support.callers import KEPT, KINDS, Callers
from tests.support.predictors import Predictor, predictor

END_S = 60.0  # far more than it takes, whatever else runs


@pytest.mark.parametrize("way", KINDS)
def test_no_request_is_lost_when_the_server_ends(tmp_path: Path, way: str) -> None:
    with predictor(tmp_path) as server:
        address = urlsplit(server.url).netloc
        callers = Callers(address, {"content-type": KINDS[way]})
        while callers.answered < 200:
            assert not callers.lost
        server.process.send_signal(signal.SIGTERM)
        callers.end_when_unready()
        assert server.process.wait(timeout=END_S) == 0
    assert callers.lost == []
    assert callers.closing >= KEPT
    assert "ERROR" not in server.log.read_text()


V1 = "/v1/models/intent:predict"
SLOW = {
    "nothing": b"",
    "half a head": b"POST /predict HTTP/1.1\r\nhost: a\r\n",
    "half a body": head("/predict", length=9) + b"{",
    "half a long body": head(V1, length=4 * SHORT_BODY) + bytes(2 * SHORT_BODY),
}


def _attackers(server: Predictor, each: int) -> list[socket.socket]:
    found = []
    for sent in SLOW.values():
        for _ in range(each):
            found.append(line := wire(server))
            line.sendall(sent)
    return found


def test_nobody_who_is_slow_holds_the_end_or_is_an_error(tmp_path: Path) -> None:
    """240 of them held it for 31 s, and each was a traceback in the log."""
    with predictor(tmp_path) as server:
        lines = _attackers(server, 60)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=END_S) == 0
        for line in lines:
            line.close()
    log = server.log.read_text()
    assert "ERROR" not in log
    assert "Traceback" not in log
