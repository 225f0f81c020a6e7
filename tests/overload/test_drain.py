"""SIGTERM under load: no caller without retries loses one, and no attacker holds it."""

import json
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from predictor.overload.limits import SHORT_BODY
from tests.overload.attack import head, status, wire
from tests.support.callers import KEPT, KINDS, Callers
from tests.support.predictors import MODELS, Predictor, predictor
from tests.support.waiting import until

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
TEXTS = ["ab cdefghi " * 46] * 1024  # nearly all that a request may have


@pytest.mark.parametrize("callers", [24, 512])
def test_long_work_is_answered_or_refused_and_does_not_hold_the_end(
    tmp_path: Path, callers: int
) -> None:
    """One after the other 512 of them would take 80 s."""
    body = json.dumps({"instances": TEXTS}).encode()
    asked = head(V1, "content-type: application/json", length=len(body)) + body

    def ask(line: socket.socket) -> int:
        line.sendall(asked)
        return status(line.recv(65536))  # the rest of it comes as it likes

    with predictor(tmp_path, f"--model_dir={MODELS / 'v2'}") as server:
        lines = [wire(server, END_S) for _ in range(callers)]
        with ThreadPoolExecutor(callers) as pool:
            answers = [pool.submit(ask, line) for line in lines]
            # Refusals come at once; where the machine is busy, before any work is done.
            until(lambda: 200 in [each.result() for each in answers if each.done()])
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(timeout=END_S) == 0
            statuses = {each.result() for each in answers}
        for line in lines:
            line.close()
    assert {200} <= statuses <= {200, 503}
    assert "ERROR" not in server.log.read_text()


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
