"""The container contract, on a real predictor that was started with `serve`."""

import json
import signal
from collections.abc import Iterator

import psutil
import pytest
import requests

from predictor.command import _options
from tests.support.predictors import Predictor, predictor

LONG = "how do I get my money back, please? " * 200
ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"


@pytest.fixture(scope="module")
def managed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Predictor]:
    folder = tmp_path_factory.mktemp("managed")
    with predictor(folder, "serve", "--revision=canary") as running:
        yield running


def _invoke(
    server: Predictor, body: str | bytes, kind: str = "application/json", **more: str
) -> requests.Response:
    headers = {"Content-Type": kind, **more}
    return requests.post(f"{server.url}/invocations", body, headers=headers, timeout=30)


def _counted(server: Predictor) -> dict[str, float]:
    """Requests by code that came as invocations."""
    page = requests.get(f"{server.url}/metrics", timeout=5).text
    lines = (line for line in page.splitlines() if 'protocol="invocations"' in line)
    counts = (line for line in lines if line.startswith("intent_requests_total"))
    return {
        line.partition('code="')[2][:3]: float(line.rpartition(" ")[2])
        for line in counts
    }


def test_ping_is_answered_with_nothing(managed: Predictor) -> None:
    answer = requests.get(f"{managed.url}/ping", timeout=5)
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    ("body", "kind", "accept", "answer"),
    [
        ('{"text": "hello"}', "application/json", "*/*", "intent"),
        ('{"instances": ["hello", "hi"]}', "application/json", "text/csv", "csv"),
        ('"hello"\n{"text": "hi"}', "application/jsonlines", "text/csv", "csv"),
        ("hello\nhi\n", "text/csv; charset=utf-8", "application/jsonlines", "lines"),
        ("hello\nhi\n", "text/csv", "application/json", "predictions"),
    ],
)
def test_every_form_is_answered_in_the_accepted_one(
    managed: Predictor, body: str, kind: str, accept: str, answer: str
) -> None:
    found = _invoke(managed, body, kind, Accept=accept)
    assert found.status_code == 200, found.text
    if answer == "csv":
        assert found.headers["content-type"].startswith("text/csv")
        assert [row.split(",")[0] for row in found.text.split()] == ["greeting"] * 2
    elif answer == "lines":
        rows = [json.loads(line)["label"] for line in found.text.splitlines()]
        assert rows == ["greeting"] * 2
    else:
        assert answer in found.json()


def test_it_classifies_as_the_other_doors_do(managed: Predictor) -> None:
    body = '{"instances": ["where is my parcel", "hello"]}'
    v1 = requests.post(f"{managed.url}/v1/models/intent:predict", body, timeout=5)
    assert _invoke(managed, body).json() == v1.json()


def test_a_long_batch_is_answered_and_a_longer_one_is_refused(
    managed: Predictor,
) -> None:
    rows = f'"{LONG}"\n'
    answer = _invoke(managed, rows * 60, "text/csv")
    assert answer.text.count("\n") == 60
    answer = _invoke(managed, rows * 100, "text/csv")
    assert (answer.status_code, "in all texts" in answer.text) == (400, True)
    answer = _invoke(managed, rows * 800, "text/csv")
    assert (answer.status_code, "bytes" in answer.text) == (413, True)


@pytest.mark.parametrize(
    ("kind", "accept", "status", "said"),
    [
        ("application/x-npy", "*/*", 415, "Content-Type: expected application/json, "),
        ("text/csv", "application/x-npy", 406, "Accept: expected application/json, "),
    ],
)
def test_other_types_are_refused(
    managed: Predictor, kind: str, accept: str, status: int, said: str
) -> None:
    answer = _invoke(managed, "hello", kind, Accept=accept)
    assert answer.status_code == status
    assert answer.json()["error"].startswith(said)


def test_the_answers_attributes_name_version_revision_and_request(
    managed: Predictor,
) -> None:
    answer = _invoke(managed, "hi", "text/csv", **{ATTRIBUTES: "x-request-id=7"})
    assert answer.headers[ATTRIBUTES] == "version=v1;revision=canary;x-request-id=7"


def test_only_users_requests_are_counted(managed: Predictor) -> None:
    before = _counted(managed)
    _invoke(managed, "hi", "text/csv")
    _invoke(managed, "hi", "text/csv", **{ATTRIBUTES: "x-intent-traffic=warm-up"})
    _invoke(managed, "hi", "image/png")
    after = _counted(managed)
    gained = {code: after[code] - before.get(code, 0.0) for code in after}
    assert (gained["200"], gained["415"]) == (1, 1)


def test_the_openapi_document_has_both_paths(managed: Predictor) -> None:
    found = requests.get(f"{managed.url}/openapi.json", timeout=5).json()["paths"]
    assert {"/ping", "/invocations", "/predict"} < found.keys()
    answers = found["/invocations"]["post"]["responses"]
    assert {"406", "415"} < answers.keys()
    kinds = ["application/json", "application/jsonlines", "text/csv"]
    assert list(answers["200"]["content"]) == kinds


def test_it_listens_on_one_port(managed: Predictor) -> None:
    found = psutil.Process(managed.process.pid).connections("inet")
    assert len({each.laddr.port for each in found if each.status == "LISTEN"}) == 1


def test_the_model_lies_where_the_service_unpacks_it() -> None:
    assert str(_options(["serve"], {}).model_dir) == "/opt/ml/model"
    assert str(_options([], {}).model_dir) == "/mnt/models"
    assert str(_options(["serve"], {"MODEL_DIR": "/a"}).model_dir) == "/a"
    assert _options(["serve"], {}).http_port == 8080


def test_sigterm_ends_it_within_the_services_thirty_seconds(
    managed: Predictor,
) -> None:
    """The last of this file: it ends the process."""
    managed.process.send_signal(signal.SIGTERM)
    assert managed.process.wait(timeout=60) == 0
