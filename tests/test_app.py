"""predictor.app on a real server: whatever is sent, a clear answer on a live line."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from requests import Response

from tests.support.predictors import Predictor, predictor

V1, V2, PLAIN = "/v1/models/intent:predict", "/v2/models/intent/infer", "/predict"
LABELS = ["complaint", "greeting", "praise", "question"]
TENSOR = {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["hello"]}


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as kept_alive:
        yield kept_alive


def _post(session: requests.Session, server: Predictor, path: str, **body: Any) -> Any:
    return session.post(server.url + path, timeout=30, **body)


def _predictions(
    session: requests.Session,
    server: Predictor,
    texts: list[str],
    headers: dict[str, str],
) -> list[dict[str, Any]]:
    body = {"instances": texts}
    answer = _post(session, server, V1, json=body, headers=headers)
    found: list[dict[str, Any]] = answer.json()["predictions"]
    return found


def test_v1_answers_label_confidence_and_probabilities(
    server: Predictor, session: requests.Session
) -> None:
    answer = _post(session, server, V1, json={"instances": ["hi", {"text": "why?"}]})
    first, second = answer.json()["predictions"]
    assert (first["label"], second["label"]) == ("greeting", "question")
    assert list(first["probabilities"]) == LABELS
    assert first["confidence"] == max(first["probabilities"].values())


def test_many_texts_are_answered_as_each_alone(
    server: Predictor, session: requests.Session
) -> None:
    texts = [f"where is parcel {number}?" for number in range(200)]
    event = {f"ce-{name}": "1" for name in ("id", "source", "type")}
    event["ce-specversion"] = "1.0"
    (alone,) = _predictions(session, server, texts[:1], {})
    for headers in ({}, event):
        found = _predictions(session, server, texts, headers)
        assert len(found) == len(texts)
        assert found[0]["label"] == alone["label"]
        assert found[0]["confidence"] == pytest.approx(alone["confidence"])
        assert found[0]["probabilities"] == pytest.approx(alone["probabilities"])


def test_v2_answers_three_tensors(server: Predictor, session: requests.Session) -> None:
    body = {"id": "a1", "inputs": [TENSOR]}
    answer = _post(session, server, V2, json=body).json()
    assert (answer["id"], answer["model_version"]) == ("a1", "v1")
    assert answer["parameters"] == {"revision": "intent-predictor-00007"}
    shapes = {each["name"]: each["shape"] for each in answer["outputs"]}
    assert shapes == {"label": [1], "confidence": [1], "probabilities": [1, 4]}


def test_an_answer_without_id_gets_one(
    server: Predictor, session: requests.Session
) -> None:
    answer = _post(session, server, V2, json={"inputs": [TENSOR]}).json()
    assert len(answer["id"]) == 36


def test_plain_answers_as_the_tutorial(
    server: Predictor, session: requests.Session
) -> None:
    answer = _post(session, server, PLAIN, json={"text": "Hi, how are you?"}).json()
    assert answer["intent"] == "greeting"
    assert 0.25 < answer["confidence"] <= 1


def test_each_answer_says_who_gave_it(
    server: Predictor, session: requests.Session
) -> None:
    headers = {"x-request-id": "r-9"}
    for path in (V1, "/nowhere"):
        answer = _post(
            session, server, path, json={"instances": ["a"]}, headers=headers
        )
        assert answer.headers["x-model-version"] == "v1"
        assert answer.headers["x-revision"] == "intent-predictor-00007"
        assert answer.headers["x-request-id"] == "r-9"


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/x-www-form-urlencoded",
        "text/plain",
        None,
    ],
)
@pytest.mark.parametrize("path", [V1, V2, PLAIN])
def test_json_is_read_whatever_its_content_type(
    server: Predictor, session: requests.Session, path: str, content_type: str | None
) -> None:
    body = json.dumps({"instances": ["hi"], "inputs": [TENSOR], "text": "hi"})
    headers = {"content-type": content_type}
    answer = _post(session, server, path, data=body, headers=headers)
    assert answer.status_code == 200, answer.text


BAD = {
    "empty body": b"",
    "cut short": b'{"instances": [',
    "not UTF-8": b'{"instances": ["\xff"]}',
    "a byte order mark": b'\xef\xbb\xbf{"instances": ["a"]}',
    "NaN": b'{"instances": [NaN]}',
    "a lone surrogate": b'{"instances": ["\\ud800"]}',
    "null": b"null",
    "a list": b"[]",
    "a string": b'"hi"',
    "nothing inside": b"{}",
    "deep nesting": b"[" * 3000,
    "wrong types": b'{"instances": 1, "inputs": 1, "text": 1}',
    "empty lists": b'{"instances": [], "inputs": [], "text": ""}',
    "huge shape": b'{"instances": [1], "text": 1, "inputs": [{"name": "text", '
    b'"datatype": "BYTES", "shape": [1000000000000000000000], "data": ["a"]}]}',
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("path", [V1, V2, PLAIN])
def test_bad_input_is_400_and_the_connection_lives(
    server: Predictor, path: str, body: bytes
) -> None:
    with requests.Session() as own:
        answers = [_post(own, server, path, data=body) for _ in range(2)]
        for answer in answers:
            assert answer.status_code == 400
            assert set(answer.json()) == {"error"}
            assert len(answer.content) < 400
        assert _connections(own) == 1


def _connections(session: requests.Session) -> int:
    adapter: Any = session.get_adapter("http://")
    pools = adapter.poolmanager.pools
    (key,) = pools.keys()
    return int(pools[key].num_connections)


@pytest.mark.parametrize("path", [V1, V2, PLAIN])
def test_a_body_over_four_mebibytes_is_413(server: Predictor, path: str) -> None:
    with requests.Session() as own:
        answer = _post(own, server, path, data=b"x" * (4 * 1024 * 1024 + 1))
        assert answer.status_code == 413
        assert "expected at most 4194304 bytes" in answer.json()["error"]
        assert _post(own, server, PLAIN, json={"text": "hi"}).ok
        assert _connections(own) == 1


def test_a_long_batch_is_served(server: Predictor, session: requests.Session) -> None:
    answer = _post(session, server, V1, json={"instances": ["a b c " * 85] * 1024})
    assert len(answer.json()["predictions"]) == 1024


@pytest.mark.parametrize(
    ("path", "model"), [("/v1/models/other:predict", 1), ("/v2/models/other/infer", 2)]
)
def test_an_unknown_model_is_404(
    server: Predictor, session: requests.Session, path: str, model: int
) -> None:
    del model
    body = {"instances": ["hi"], "inputs": [TENSOR]}
    answer = _post(session, server, path, json=body)
    assert answer.status_code == 404
    assert answer.json() == {"error": "Model with name other does not exist."}


def test_other_methods_are_405_and_say_which_is_allowed(server: Predictor) -> None:
    answer = requests.get(server.url + V1, timeout=5)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_unknown_paths_are_404_in_the_same_shape(server: Predictor) -> None:
    answer = requests.get(server.url + "/nowhere", timeout=5)
    assert answer.status_code == 404
    assert answer.json() == {"error": "path: nothing is served at /nowhere"}


@pytest.mark.parametrize("verb", ["load", "unload"])
def test_the_model_cannot_be_unloaded_by_strangers(
    server: Predictor, session: requests.Session, verb: str
) -> None:
    path = f"/v2/repository/models/intent/{verb}"
    assert _post(session, server, path).status_code == 403
    assert _post(session, server, PLAIN, json={"text": "hi"}).ok


def test_a_binary_tensor_comes_and_goes(
    server: Predictor, session: requests.Session
) -> None:
    raw = b"\x05\x00\x00\x00hello"
    tensor = {
        "name": "text",
        "datatype": "BYTES",
        "shape": [1],
        "parameters": {"binary_data_size": len(raw)},
    }
    parameters = {"binary_data_output": True}
    head = json.dumps({"inputs": [tensor], "parameters": parameters}).encode()
    headers = {"inference-header-content-length": str(len(head))}
    answer = _post(session, server, V2, data=head + raw, headers=headers)
    length = int(answer.headers["inference-header-content-length"])
    assert answer.headers["content-type"] == "application/octet-stream"
    sizes = [
        output["parameters"]["binary_data_size"]
        for output in json.loads(answer.content[:length])["outputs"]
    ]
    assert len(answer.content) == length + sum(sizes)


def test_cloud_events_are_answered_as_the_sdk_does(
    server: Predictor, session: requests.Session
) -> None:
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "test",
        "ce-type": "ask",
        "content-type": "application/json",
    }
    answer = _post(session, server, V1, json={"instances": ["hi"]}, headers=headers)
    assert answer.headers["ce-specversion"] == "1.0"
    assert json.loads(answer.content)["predictions"][0]["label"] == "greeting"


def test_metadata_names_tensors_and_class_order(server: Predictor) -> None:
    metadata = requests.get(server.url + "/v2/models/intent", timeout=5).json()
    assert (metadata["versions"], metadata["platform"]) == (["v1"], "scikit-learn")
    assert metadata["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    assert metadata["outputs"][-1] == {
        "name": "probabilities",
        "datatype": "FP32",
        "shape": [-1, 4],
        "parameters": {"labels": LABELS},
    }
    other = requests.get(server.url + "/v2/models/other", timeout=5)
    assert other.status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v2",
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/intent/ready",
        "/v1/models/intent",
    ],
)
def test_the_sdks_own_routes_still_answer(server: Predictor, path: str) -> None:
    assert requests.get(server.url + path, timeout=5).ok


def _counted(server: Predictor, protocol: str, code: str) -> float:
    page = requests.get(server.url + "/metrics", timeout=5).text
    wanted = (f'protocol="{protocol}"', f'code="{code}"')
    lines = [
        line
        for line in page.splitlines()
        if line.startswith("intent_requests_total") and all(w in line for w in wanted)
    ]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


@pytest.mark.parametrize(
    ("path", "protocol", "body", "code"),
    [
        (V1, "v1", b"{", "400"),
        (V2, "v2", b"{", "400"),
        (PLAIN, "predict", b"x" * (5 * 1024 * 1024), "413"),
        ("/v2/models/other/infer", "v2", json.dumps({"inputs": [TENSOR]}), "404"),
        (PLAIN, "predict", b'{"text": "hi"}', "200"),
    ],
)
def test_what_never_reaches_the_model_is_counted_too(
    server: Predictor, path: str, protocol: str, body: bytes, code: str
) -> None:
    before = _counted(server, protocol, code)
    requests.post(server.url + path, data=body, timeout=10)
    assert _counted(server, protocol, code) == before + 1


def test_a_caller_who_hangs_up_halfway_harms_nobody(server: Predictor) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as line:
        line.sendall(
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{"
        )
    answer: Response = requests.post(server.url + PLAIN, json={"text": "hi"}, timeout=5)
    assert answer.ok


def test_neither_texts_nor_tracebacks_are_logged(tmp_path: Path) -> None:
    """In the log of a predictor of its own: others' faults are no lines of it."""
    secret = "my account number is 4711"
    with predictor(tmp_path) as server:
        requests.post(server.url + PLAIN, json={"text": secret}, timeout=5)
        requests.post(server.url + V1, json={"instances": [secret, 1]}, timeout=5)
        log = server.log.read_text()
    assert "4711" not in log
    assert "Traceback" not in log
    assert all(json.loads(line)["level"] == "INFO" for line in log.splitlines())
