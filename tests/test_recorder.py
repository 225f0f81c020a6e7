"""Texts that are lent: to whoever has the token, once, bounded, for a while."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from predictor import recorder
from predictor.recorder import Recorder
from tests.support.predictors import Predictor, predictor

TOKEN = {"x-recording-token": "secret"}
MARK = {"x-intent-traffic": "shadow"}
TENSOR = {"name": "text", "datatype": "BYTES"}


@pytest.fixture(scope="module")
def lender(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Predictor]:
    folder = tmp_path_factory.mktemp("lender")
    with predictor(folder, env={"RECORDING_TOKEN": "secret"}) as server:
        yield server


def _texts(server: Predictor, share: float = 1.0) -> list[list[str]]:
    answer = requests.post(
        f"{server.url}/shadow/texts", json={"share": share}, headers=TOKEN, timeout=10
    )
    assert answer.status_code == 200, answer.text
    found: list[list[str]] = answer.json()["texts"]
    return found


def _ask(server: Predictor, path: str, body: Any, **headers: str) -> None:
    answer = requests.post(server.url + path, json=body, headers=headers, timeout=10)
    assert answer.status_code == 200, answer.text


def test_each_protocols_texts_are_lent_once_with_their_ids(lender: Predictor) -> None:
    _texts(lender)
    named = {"x-request-id": "a"}
    _ask(lender, "/v1/models/intent:predict", {"instances": ["one", "two"]}, **named)
    tensor = {**TENSOR, "shape": [1], "data": ["three"]}
    _ask(lender, "/v2/models/intent/infer", {"id": "b", "inputs": [tensor]})
    _ask(lender, "/predict", {"text": "four"}, **{"x-request-id": "c"})
    _ask(lender, "/predict", {"text": "ours"}, **MARK)
    lent = [["a/0", "one"], ["a/1", "two"], ["b", "three"], ["c", "four"]]
    assert _texts(lender) == lent
    assert _texts(lender, 0.0) == []
    _ask(lender, "/predict", {"text": "five"})
    assert _texts(lender) == []


@pytest.mark.parametrize("headers", [{}, {"x-recording-token": "guess"}])
def test_a_stranger_gets_none(lender: Predictor, headers: dict[str, str]) -> None:
    url = f"{lender.url}/shadow/texts"
    answer = requests.post(url, json={"share": 1}, headers=headers, timeout=10)
    expected = {"error": "x-recording-token: expected the recording token"}
    assert (answer.status_code, answer.json()) == (403, expected)


@pytest.mark.parametrize("body", ['{"share": 2}', '{"share": "1"}', "[]", "{}"])
def test_a_wrong_share_is_said(lender: Predictor, body: str) -> None:
    url = f"{lender.url}/shadow/texts"
    answer = requests.post(url, data=body, headers=TOKEN, timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (
        400,
        "share: expected a number from 0 to 1",
    )


def test_without_a_token_there_is_no_such_path(server: Predictor) -> None:
    url = f"{server.url}/shadow/texts"
    answer = requests.post(url, json={"share": 1}, headers=TOKEN, timeout=10)
    assert answer.status_code == 404


def test_the_promoters_own_requests_are_not_counted(lender: Predictor) -> None:
    def counted() -> list[str]:
        page = requests.get(f"{lender.url}/metrics", timeout=10).text.splitlines()
        names = ("intent_requests_total", "intent_predictions_total", "intent_conf")
        return [line for line in page if line.startswith(names)]

    before = counted()
    _ask(lender, "/predict", {"text": "hello"}, **MARK)
    assert counted() == before
    _ask(lender, "/predict", {"text": "hello"})
    assert counted() != before


def test_texts_are_in_no_log(lender: Predictor) -> None:
    _texts(lender)
    _ask(lender, "/predict", {"text": "a secret sentence"})
    _texts(lender)
    assert "a secret sentence" not in Path(lender.log).read_text()


def test_the_newest_are_kept_and_no_more_than_the_limits() -> None:
    kept = Recorder()
    kept.take(1.0)
    for number in range(1200):
        kept.offer(f"r{number}", ["x"])
    found = kept.take(1.0)
    assert (len(found), found[-1]) == (recorder.MOST_TEXTS, ("r1199", "x"))
    for number in range(200):
        kept.offer(f"r{number}", ["x" * 8000])
    found = kept.take(1.0)
    assert len(found) == recorder.MOST_CHARACTERS // 8000
    kept.offer("r", ["x"])
    assert kept.take(1.0) == [("r", "x")]


def test_unasked_for_a_minute_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    kept = Recorder()
    kept.offer("early", ["x"])
    kept.take(1.0)
    kept.offer("in time", ["x"])
    clock[0] = 61.0
    kept.offer("late", ["x"])
    assert kept.take(1.0) == []


def test_a_share_is_a_share() -> None:
    kept = Recorder()
    kept.take(0.25)
    for number in range(1000):
        kept.offer(f"r{number}", ["x"])
    assert 180 < len(kept.take(0.0)) < 320
