"""scripts.infer and scripts.inference: what is asked, counted and printed."""

import io
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from scripts import infer
from scripts.inference.clients import Answer, Target, connect
from scripts.inference.load import (
    Share,
    quantile,
    send,
    summarise,
    wilson_interval,
)
from tests.support.commands import run, start
from tests.support.predictors import Predictor
from tests.support.waiting import until


def _answer(revision: str = "r1", error: str = "", code: str = "200") -> Answer:
    return Answer("hi", "greeting", 0.9, "v1", revision, code, 2.0, error)


def _requests(server: Predictor) -> float:
    """How many the server has answered."""
    page = requests.get(f"{server.url}/metrics", timeout=5).text
    lines = page.splitlines()
    counted = [line for line in lines if line.startswith("intent_requests_total{")]
    return sum(float(line.rpartition(" ")[2]) for line in counted)


def _ask(server: Predictor, *args: str) -> tuple[int, Any]:
    code, printed = run("scripts.infer", "--url", server.url, "-o", "json", *args)
    return code, json.loads(printed)


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (10, 100, 0.0552, 0.1744),
        (200, 2000, 0.0876, 0.1139),
        (10, 10, 0.7225, 1.0),
    ],
)
def test_wilson_intervals(successes: int, total: int, low: float, high: float) -> None:
    assert wilson_interval(successes, total) == pytest.approx((low, high), abs=1e-4)


def test_a_share_knows_whether_a_wanted_one_fits() -> None:
    share = Share("r1", 10, 0.1, 0.05, 0.17)
    assert share.holds(0.1)
    assert not share.holds(0.2)


@pytest.mark.parametrize(("share", "value"), [(0.5, 2), (0.9, 4), (0.99, 4), (0.0, 1)])
def test_quantiles_are_values_that_were_seen(share: float, value: float) -> None:
    assert quantile([1, 2, 3, 4], share) == value


def test_a_summary_counts_revisions_codes_and_failures() -> None:
    answers = [_answer("r1")] * 3 + [_answer("r2"), _answer("", "boom", "500")]
    summary = summarise(answers)
    assert [(s.revision, s.answers, s.share) for s in summary.split] == [
        ("r1", 3, 0.75),
        ("r2", 1, 0.25),
    ]
    assert summary.codes == {"200": 4, "500": 1}
    assert (summary.requests, summary.failed) == (5, 1)


def test_load_sends_as_many_as_asked_and_takes_texts_in_turns() -> None:
    texts: list[str] = []

    def ask(text: str) -> Answer:
        texts.append(text)
        return _answer()

    seen: list[Answer] = []
    answers = send(
        lambda: ask,
        ["a", "b"],
        total=7,
        rate=None,
        concurrency=3,
        on_answer=seen.append,
    )
    assert len(answers) == len(seen) == 7
    assert sorted(texts) == ["a"] * 4 + ["b"] * 3


def test_load_does_not_hide_what_a_worker_raises() -> None:
    def ask(text: str) -> Answer:
        raise RuntimeError(text)

    with pytest.raises(RuntimeError, match="boom"):
        send(
            lambda: ask,
            ["boom"],
            total=1,
            rate=1000,
            concurrency=1,
            on_answer=lambda _: None,
        )


def test_ctrl_c_ends_a_long_run_at_once(server: Predictor) -> None:
    """Also where the tests themselves were started in the background."""
    command = [sys.executable, "-m", "scripts.infer", "hi", "--url", server.url]
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        running = start(
            [*command, "--count", "100000", "--rps", "20"], stderr=subprocess.PIPE
        )
    finally:
        signal.signal(signal.SIGINT, before)
    asked = _requests(server)
    until(lambda: _requests(server) >= asked + 5)
    running.send_signal(signal.SIGINT)
    _, printed = running.communicate(timeout=30)
    assert running.returncode == 130
    assert printed.strip().splitlines()[-1] == "interrupted"


@pytest.mark.parametrize("protocol", ["v1", "v2", "predict", "grpc"])
def test_each_protocol_gives_the_same_answer(server: Predictor, protocol: str) -> None:
    url = server.grpc if protocol == "grpc" else server.url
    code, content = _ask(server, "good morning", "--protocol", protocol, "--url", url)
    (answer,) = content["answers"]
    assert code == 0
    assert (answer["label"], answer["version"]) == ("greeting", "v1")
    assert answer["revision"] == "intent-predictor-00007"
    assert answer["confidence"] == pytest.approx(0.9, abs=0.1)


def test_a_count_gives_split_latency_and_codes(server: Predictor) -> None:
    code, content = _ask(server, "hi", "--count", "50", "--concurrency", "4")
    assert code == 0
    assert content["codes"] == {"200": 50}
    assert content["split"][0]["share"] == 1
    assert set(content["latency_ms"]) == {"p50", "p90", "p99"}


def test_texts_come_from_arguments_files_and_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "texts").write_text("two\n\nthree\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("one\n"))
    assert infer._texts(["-"], tmp_path / "texts") == ["one", "two", "three"]


def test_a_failed_answer_is_exit_1_and_says_why(server: Predictor) -> None:
    code, printed = run("scripts.infer", "hi", "--url", server.url, "--model", "other")
    assert code == 1
    assert "error: Model with name other does not exist." in printed


@pytest.mark.parametrize("protocol", ["v1", "grpc"])
def test_nobody_there_is_one_line(protocol: str) -> None:
    args = ("scripts.infer", "hi", "--protocol", protocol, "-o", "json")
    url = "127.0.0.1:9" if protocol == "grpc" else "http://127.0.0.1:9"
    code, printed = run(*args, "--url", url)
    assert code == 1
    assert "Connection refused" in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "no text given"),
        (("--file", "no such file"), "no such file"),
        (("hi", "--file", "no such file"), "no such file"),
        (("hi", "--count", "0"), "expected 1 or more"),
        (("hi", "--protocol", "soap"), "'soap' is not one of 'v1', 'v2'"),
        (("hi", "--rps", "0"), "Invalid value for '--rps': expected a number above 0"),
        (("--file", "."), "Is a directory"),
        (("--file", "models/v1/intent_model.pkl"), "expected UTF-8 text"),
    ],
)
def test_wrong_arguments_are_exit_2(args: tuple[str, ...], message: str) -> None:
    code, printed = run("scripts.infer", *args)
    assert code == 2
    assert message in printed


def test_an_answer_that_is_none_is_an_error(server: Predictor) -> None:
    ask = connect("v1", Target(f"{server.url}/v2?", None, "intent"))
    assert ask("hi").error


def test_the_table_names_label_and_revision(server: Predictor) -> None:
    code, printed = run("scripts.infer", "hello there", "--url", server.url)
    assert code == 0
    assert printed.splitlines()[1].split()[:3] == ["hello", "there", "greeting"]
