"""/openapi.json: each path in it is served so, and what is served is in it."""

import http
from typing import Any

import jsonschema
import pytest
import requests

from predictor.overload.limits import MAX_BODY
from tests.support.predictors import Predictor

TENSOR = {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["hello"]}
BODIES = {
    "/v1/models/intent:predict": {"instances": ["hello", {"text": "why?"}]},
    "/v2/models/intent/infer": {"inputs": [TENSOR], "id": "7"},
    "/predict": {"text": "hello"},
}


@pytest.fixture(scope="module")
def described(server: Predictor) -> Any:
    return requests.get(f"{server.url}/openapi.json", timeout=5).json()


def _schema(content: Any) -> Any:
    return content["content"]["application/json"]["schema"]


def test_each_way_to_ask_is_described_as_it_is_answered(
    server: Predictor, described: Any
) -> None:
    posts = {path for path, verbs in described["paths"].items() if "post" in verbs}
    assert posts == set(BODIES)
    for path, body in BODIES.items():
        operation = described["paths"][path]["post"]
        jsonschema.validate(body, _schema(operation["requestBody"]))
        answer = requests.post(server.url + path, json=body, timeout=5)
        jsonschema.validate(answer.json(), _schema(operation["responses"]["200"]))


def test_each_path_that_is_told_is_served(server: Predictor, described: Any) -> None:
    for path, verbs in described["paths"].items():
        if "get" in verbs:
            assert requests.get(server.url + path, timeout=5).ok, path


def test_the_faults_are_described_with_the_limits(described: Any) -> None:
    for path in BODIES:
        faults = described["paths"][path]["post"]["responses"]
        assert {"400", "408", "413", "415", "431", "503"} < set(faults)
        assert str(MAX_BODY) in faults["413"]["description"]
        assert all(http.HTTPStatus(int(code)) for code in faults)
