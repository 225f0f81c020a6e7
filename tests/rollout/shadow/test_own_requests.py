"""Synthetic requests in a form of the policy's own, for models that are not ours."""

import json
import time

import pytest

from scripts.rollout.errors import PolicyError
from scripts.rollout.policy.reader import parse
from scripts.rollout.shadow import requests
from scripts.rollout.shadow.requests import Lent
from scripts.rollout.shadow.sources import Synthetic

TARGET = "target: {inferenceservice: plain}\n"


def _first(body: str, text: str) -> Lent:
    source = Synthetic(1000.0, [text], "/echo", body)
    found: list[Lent] = []
    deadline = time.monotonic() + 60
    while not found and time.monotonic() < deadline:
        found = list(source.requests([]))
    return found[0]


def test_a_sentence_stands_in_the_body_as_json_quotes_it() -> None:
    text = 'say "no"\nor é'
    sent = requests.message(_first('{"q": ["{text}"]}', text))
    assert sent.path == "/echo"
    assert json.loads(sent.body) == {"q": [text]}


def test_any_answer_is_an_answer_without_a_label_to_compare() -> None:
    lent = _first("{text}", "hello")
    assert requests.answers(lent, b"not JSON") == (("", 1.0),)


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ("path: /echo", "expected both or neither"),
        ("path: /echo, body: {text: hello}", "where the sentence goes"),
        ("path: echo, body: '{text}'", "echo"),
    ],
)
def test_half_a_request_is_refused(own: str, said: str) -> None:
    with pytest.raises(PolicyError, match=said):
        parse(f"{TARGET}synthetic: {{rps: 1, texts: a.txt, {own}}}", "test")
