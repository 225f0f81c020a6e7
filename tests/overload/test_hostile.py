"""Requests made to harm: bounded, answered, and told in a count, not in a flood."""

import json
import re
import time
from typing import Any

import grpc
import pytest
import requests

from predictor.overload.limits import MAX_BODY, MAX_HEAD, MAX_HEADERS
from tests.overload.attack import MIB, head, peak_mib, said, status, wire
from tests.support.predictors import Predictor
from tests.support.waiting import until

ASK = b'{"text":"hello"}'
INFER = "/inference.GRPCInferenceService/ModelInfer"


@pytest.mark.parametrize("path", ["/predict", "/predict?o"])
def test_many_headers_are_431_and_do_not_stop_the_server(
    server: Predictor, path: str
) -> None:
    """100,000 of them stood the event loop still for more than a minute."""
    lines = [f"h{number}: v" for number in range(MAX_HEADERS + 1)]
    with wire(server) as line:
        line.sendall(head(path, *lines, length=len(ASK)) + ASK)
        assert status(said(line)) == 431
        line.sendall(head(path, length=len(ASK)) + ASK)
        assert status(said(line)) == 200
    assert requests.get(f"{server.url}/v2/health/live", timeout=5).ok


def test_a_head_without_end_is_431(server: Predictor) -> None:
    with wire(server) as line:
        line.sendall(b"POST /predict HTTP/1.1\r\nhost: a\r\nx: ")
        for _ in range(MAX_HEAD // 1024 + 32):
            line.sendall(b"x" * 1024)
        assert status(said(line)) == 431


PATHS = ["/v1/models/intent:explain", "/v2/models/intent/versions/v1/infer", "/none"]


@pytest.mark.parametrize("path", PATHS)
def test_what_is_not_served_is_404_and_its_body_is_not_kept(
    server: Predictor, path: str
) -> None:
    assert requests.post(server.url + path, data=ASK, timeout=5).status_code == 404
    before = peak_mib(server)
    answer = requests.post(server.url + path, data=bytes(64 * MIB), timeout=30)
    assert answer.status_code in (404, 413)
    assert peak_mib(server) - before < 16


def test_who_sends_a_refused_body_and_asks_for_the_end_still_reads_the_refusal(
    server: Predictor,
) -> None:
    """A close before the body was read took it back: the connection was reset."""
    body = bytes(MAX_BODY + 1)
    with wire(server) as line:
        line.sendall(head("/predict", "connection: close", length=len(body)) + body)
        answer = said(line, b"never")
    assert status(answer) == 413
    assert b"connection: close" in answer


@pytest.mark.parametrize("path", ["/v1/models/intent:predict", "/predict"])
def test_a_body_without_a_length_is_not_kept_beyond_the_limit(
    server: Predictor, path: str
) -> None:
    before = peak_mib(server)
    parts = (bytes(MIB) for _ in range(48))
    assert requests.post(server.url + path, data=parts, timeout=30).status_code == 413
    assert peak_mib(server) - before < 4 * MAX_BODY / MIB


@pytest.mark.parametrize("path", ["/predict/", "/v2/"])
def test_no_path_is_redirected_to_the_host_that_the_caller_names(
    server: Predictor, path: str
) -> None:
    for ask in (requests.get, requests.post):
        headers = {"host": "evil.example"}
        answer = ask(
            server.url + path, headers=headers, timeout=5, allow_redirects=False
        )
        assert answer.status_code == 404
        assert answer.json() == {"error": f"path: nothing is served at {path}"}


def test_versions_are_404_not_501(server: Predictor) -> None:
    for path in (
        "/v2/models/intent/versions/v1",
        "/v2/models/intent/versions/v1/ready",
    ):
        assert requests.get(server.url + path, timeout=5).status_code == 404


@pytest.mark.parametrize("path", ["/predict", "/predict?o"])
def test_a_compressed_body_is_415_that_names_the_header(
    server: Predictor, path: str
) -> None:
    headers = {"content-encoding": "gzip", "content-type": "application/json"}
    answer = requests.post(server.url + path, data=ASK, headers=headers, timeout=5)
    assert answer.status_code == 415
    assert "Content-Encoding" in answer.json()["error"]


@pytest.mark.parametrize("upgrade", ["h2c", "websocket"])
@pytest.mark.parametrize("path", ["/predict", "/predict?o"])
def test_an_upgrade_is_ignored_and_the_request_answered(
    server: Predictor, path: str, upgrade: str
) -> None:
    more = ("connection: Upgrade, HTTP2-Settings", "http2-settings: AAMAAABkAAQAoAAA")
    asked = head(path, *more, f"upgrade: {upgrade}", length=len(ASK)) + ASK
    with wire(server) as line:
        for _ in range(2):
            line.sendall(asked)
            assert b'"intent":"greeting"' in said(line)
        line.sendall(asked[:-5])
        line.sendall(asked[-5:])
        assert b'"intent":"greeting"' in said(line)


def test_a_tunnel_is_refused(server: Predictor) -> None:
    with wire(server) as line:
        line.sendall(b"CONNECT evil.example:443 HTTP/1.1\r\nhost: a\r\n\r\n")
        assert status(said(line)) == 400


def test_two_thousand_requests_in_one_breath_are_answered_in_order(
    server: Predictor,
) -> None:
    hot = head("/predict", length=len(ASK)) + ASK
    ordinary = head("/v1/models/intent:predict", length=2) + b"{}"
    number = 2000
    with wire(server) as line:
        line.settimeout(30)
        line.sendall((hot + ordinary) * (number // 2))
        found = b""
        while found.count(b"HTTP/1.1 ") < number or not found.endswith(b"}"):
            part = line.recv(1 << 20)
            assert part, found[-300:]
            found += part
    assert re.findall(rb"HTTP/1.1 (\d+)", found) == [b"200", b"400"] * (number // 2)


def test_a_half_request_behind_a_whole_one_does_not_take_its_answer(
    server: Predictor,
) -> None:
    with wire(server) as line:
        line.sendall(
            head("/predict?o", length=len(ASK)) + ASK + b"\x00\x01 nonsense\r\n"
        )
        answer = said(line, until=b"nothing more")
    assert status(answer) == 200
    assert b"connection: close" in answer


def test_bad_requests_are_counted_and_not_logged_one_by_one(server: Predictor) -> None:
    before = server.log.read_text()
    for _ in range(50):
        with wire(server) as line:
            line.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
            assert status(said(line)) == 400
    added = server.log.read_text()[len(before) :]
    assert len(added.splitlines()) <= 2, added


def _garbled(server: Predictor, times: int) -> set[grpc.StatusCode]:
    codes = set()
    with grpc.insecure_channel(server.grpc) as channel:
        for method in (INFER, INFER.replace("ModelInfer", "ModelReady")):
            ask = channel.unary_unary(method)
            for _ in range(times):
                with pytest.raises(grpc.RpcError) as fault:
                    ask(b"\xff", timeout=10)
                codes.add(fault.value.code())
    return codes


def test_a_garbled_message_is_an_invalid_argument_counted_and_no_traceback(
    server: Predictor,
) -> None:
    before, log = _invalid(server), server.log.read_text()
    assert _garbled(server, 10) == {grpc.StatusCode.INVALID_ARGUMENT}
    until(lambda: _invalid(server) == before + 10)
    added = server.log.read_text()[len(log) :]
    assert "Traceback" not in added
    assert len(added.splitlines()) <= 2, added


def _invalid(server: Predictor) -> float:
    page = requests.get(f"{server.url}/metrics", timeout=5).text
    start = 'intent_requests_total{code="INVALID_ARGUMENT"'
    lines = [each for each in page.splitlines() if each.startswith(start)]
    return sum(float(each.rsplit(" ", 1)[1]) for each in lines)


def test_what_a_request_brings_besides_texts_does_not_wait_with_them(
    server: Predictor,
) -> None:
    """1.3 million lists in 4 MiB of JSON take 100 MiB as objects."""
    junk = "[" + "[]," * (MAX_BODY // 3 - 400) + "[]]"
    body = '{"instances":["hello"],"more":' + junk + "}"
    before = peak_mib(server)
    for _ in range(3):
        answer = requests.post(
            f"{server.url}/v1/models/intent:predict", data=body, timeout=20
        )
        assert answer.status_code == 200
    assert peak_mib(server) - before < 160


def test_one_id_is_bounded(server: Predictor) -> None:
    tensor = {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["a"]}
    for length, code in ((256, 200), (257, 400)):
        answer = requests.post(
            f"{server.url}/v2/models/intent/infer",
            json={"id": "i" * length, "inputs": [tensor]},
            timeout=5,
        )
        assert answer.status_code == code


def test_the_metadata_says_the_limits(server: Predictor) -> None:
    said_limits: Any = requests.get(f"{server.url}/v2/models/intent", timeout=5).json()
    parameters = said_limits["parameters"]
    assert parameters["max_texts"] == 1024
    assert parameters["max_characters"] == 512 * 1024
    assert parameters["max_body_bytes"] == MAX_BODY
    texts = json.dumps({"instances": ["a" * 8192] * 65})
    answer = requests.post(
        f"{server.url}/v1/models/intent:predict", data=texts, timeout=20
    )
    assert (answer.status_code, "524288" in answer.text) == (400, True)


def test_a_caller_who_leaves_is_counted_and_its_work_dropped(server: Predictor) -> None:
    body = json.dumps({"instances": ["where is it " * 40] * 1024}).encode()
    path = "/v1/models/intent:predict"
    for _ in range(8):
        with wire(server) as line:
            line.sendall(head(path, length=len(body)) + body)
            time.sleep(0.01)
    log = server.log.read_text()
    assert "Traceback" not in log
    assert requests.post(f"{server.url}{path}", data=body, timeout=20).ok
