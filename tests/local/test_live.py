"""Local mode as a whole, on real processes behind a real Envoy."""

import json
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest
import requests
import yaml

from scripts.inference.clients import Answer, Target, connect
from scripts.inference.load import steady
from scripts.local import processes
from scripts.local.envoy import Admin
from scripts.local.processes import ROOT
from tests.support.backends import (
    HOST,
    Local,
    answered,
    broken,
    intent,
    local,
    settles,
)
from tests.support.callers import KINDS, Callers
from tests.support.commands import run
from tests.support.waiting import killed, until

CANARY = [("2", 10), ("1", 90)]
IN_FLIGHT = 8
ANSWERS_A_WEIGHT = 20


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    with local(tmp_path_factory.mktemp("local")) as backend:
        backend.apply(intent("v1"))
        settles(backend, [("1", 100)], created="1")
        backend.apply(intent("v2", 10))
        settles(backend, CANARY, created="2")
        yield backend


@pytest.fixture
def canary(shared: Local) -> Local:
    """v2 on ten percent, whatever the test before did."""
    shared.patch(10)
    settles(shared, CANARY, created="2")
    return shared


def test_nothing_listens_to_the_network_past_the_gateway(shared: Local) -> None:
    addresses = {
        each.laddr.ip.removeprefix("::ffff:")
        for child in processes.find(shared.folder)
        for each in child.process.connections("inet")
        if each.status == "LISTEN"
    }
    assert addresses == {"127.0.0.1"}


def _pid(backend: Local, role: str) -> int:
    return _child(backend, role).process.pid


def _child(backend: Local, role: str) -> processes.Child:
    (child,) = [c for c in processes.find(backend.folder) if c.role.endswith(role)]
    return child


def _steady_load(
    backend: Local, rate: float = 60
) -> AbstractContextManager[list[Answer]]:
    """Requests at a steady rate for as long as the block runs; its answers."""
    target = Target(f"http://127.0.0.1:{backend.port}", None, "intent")
    return steady(partial(connect, "v1", target), ["hello"], rate, concurrency=3)


def _are_at_least(answers: list[Answer], wanted: int) -> bool:
    return len(answers) >= wanted


def _codes(answers: list[Answer]) -> Counter[str]:
    return Counter(answer.error or answer.code for answer in answers)


def test_ten_weight_changes_under_load_fail_no_request(canary: Local) -> None:
    with _steady_load(canary) as answers:
        for percent in (50, 0, 90, 20, 1, 99, 30, 70, 0, 10):
            canary.patch(percent)
            settles(canary, [("2", percent), ("1", 100 - percent)], created="2")
            wanted = len(answers) + ANSWERS_A_WEIGHT
            until(partial(_are_at_least, answers, wanted))
    assert set(_codes(answers)) == {"200"}


def test_the_split_is_as_asked(canary: Local) -> None:
    canary.patch(30)
    settles(canary, [("2", 30), ("1", 70)], created="2")
    share = answered(canary, count=1000)["2"] / 1000
    assert abs(share - 0.3) < 0.075  # five standard deviations


@pytest.mark.parametrize(("revision", "other"), [("00001", "2"), ("00002", "1")])
def test_a_killed_predictor_fails_no_request_and_comes_back(
    canary: Local, revision: str, other: str
) -> None:
    before = _child(canary, revision)
    with _steady_load(canary) as answers:
        killed(before)
        until(lambda: len(answers) > 60)
        meanwhile = answered(canary)
    assert set(_codes(answers)) == {"200"}
    assert meanwhile == {other: 40}
    until(lambda: len(answered(canary, count=200)) == 2)
    assert _pid(canary, revision) != before.process.pid


def test_an_ended_predictor_fails_none_of_twelve_callers(canary: Local) -> None:
    """Envoy lets three requests retry at once: of 71,517 it failed 642."""
    ended = _child(canary, "00001")
    address = f"127.0.0.1:{canary.port}"
    callers = Callers(address, {"content-type": KINDS["hot"], "host": HOST})
    until(lambda: callers.answered > 200)
    ended.terminate()
    until(lambda: callers.lost or not ended.is_alive())
    meanwhile = callers.answered
    until(lambda: callers.lost or callers.answered > meanwhile + 200)
    callers.end()
    assert callers.lost == []
    until(lambda: len(answered(canary, count=200)) == 2)


def test_a_tag_names_one_revision_even_while_its_process_is_dead(
    canary: Local,
) -> None:
    killed(_child(canary, "00002"))
    answers = [canary.ask(f"latest-{HOST}") for _ in range(5)]
    revisions = {answer.headers.get("x-revision", "")[-1:] for answer in answers}
    assert "1" not in revisions
    until(lambda: canary.ask(f"latest-{HOST}").ok)


def test_the_tag_header_routes_as_the_tag_host_does(canary: Local) -> None:
    url = f"http://127.0.0.1:{canary.port}/predict"
    for tag, revision in (("latest", "2"), ("prev", "1")):
        headers = {"Knative-Serving-Tag": tag}
        answers = [
            requests.post(url, json={"text": "hi"}, headers=headers, timeout=5)
            for _ in range(10)
        ]
        assert {each.headers["x-revision"][-1] for each in answers} == {revision}


def test_plain_localhost_reaches_the_service_too(canary: Local) -> None:
    assert canary.ask("localhost").ok
    assert canary.ask("intent.default.example.com").ok


def test_a_killed_supervisor_is_replaced_and_adopts_all(canary: Local) -> None:
    before = {role: _pid(canary, role) for role in ("00001", "00002", "envoy")}
    killed(_child(canary, "supervisor"))
    assert sum(answered(canary).values()) == 40
    code, printed = canary.run("get")
    assert code == 0, printed
    canary.patch(20)
    settles(canary, [("2", 20), ("1", 80)], created="2")
    assert {role: _pid(canary, role) for role in before} == before


def test_a_predictor_that_died_with_its_supervisor_comes_back(canary: Local) -> None:
    killed(_child(canary, "supervisor"))
    killed(_child(canary, "00002"))
    assert canary.run("get")[0] == 0
    until(lambda: len(answered(canary, count=200)) == 2)


def test_a_killed_gateway_comes_back_as_it_was(canary: Local) -> None:
    killed(_child(canary, "envoy"))

    def answers() -> bool:
        try:
            return canary.ask(HOST).ok
        except requests.ConnectionError:
            return False

    until(answers)
    assert set(answered(canary, count=200)) == {"1", "2"}


def test_get_prints_what_kubectl_prints(canary: Local) -> None:
    _, table = canary.run("get")
    header, row = table.splitlines()
    assert header.split()[:5] == ["NAME", "URL", "READY", "PREV", "LATEST"]
    assert row.split()[:5] == ["intent", f"http://{HOST}", "True", "90", "10"]
    assert yaml.safe_load(canary.run("get", "-o", "yaml")[1])["items"]
    _, wide = canary.run("get", "-o", "wide")
    assert str(_pid(canary, "00002")) in wide


def test_logs_are_found_by_service_and_by_revision(canary: Local) -> None:
    _, every = canary.run("logs", "intent")
    _, first = canary.run("logs", "intent-predictor-00001")
    assert first in every
    assert json.loads(first.splitlines()[0])["logger"] == "kserve"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("get", "other"), "InferenceService other not found"),
        (("logs", "other"), "no logs of other"),
        (("patch", "other", "--percent", "5"), "default.other not found"),
        (("apply", "-f", "manifests/isvc-v1.yaml", "--port", "1"), "already; down it"),
    ],
)
def test_a_wrong_name_is_one_line(
    canary: Local, args: tuple[str, ...], message: str
) -> None:
    code, printed = canary.run(*args)
    assert code == 1
    assert message in printed
    assert len(printed.splitlines()) == 1


@pytest.mark.parametrize("percent", ["101", "-1", "ten", "1.5"])
def test_a_wrong_percent_is_refused(canary: Local, percent: str) -> None:
    code, printed = canary.run("patch", "intent", f"--percent={percent}")
    assert code == 2
    assert "expected an integer from 0 to 100, or none" in printed


def test_grpc_goes_through_the_gateway_by_its_own_manifest(canary: Local) -> None:
    code, printed = canary.run("apply", "-f", "manifests/isvc-grpc.yaml")
    assert code == 0, printed
    code, printed = run(
        *("scripts.infer", "hello", "--protocol", "grpc", "-o", "json"),
        *("--url", f"127.0.0.1:{canary.port}"),
        *("--host", "intent-grpc-predictor.default.example.com"),
    )
    assert code == 0, printed
    (answer,) = json.loads(printed)["answers"]
    assert answer["revision"] == "intent-grpc-predictor-00001"


def test_a_draining_revision_finishes_what_it_works_on(tmp_path: Path) -> None:
    texts = ["never again will I order " * 20] * 1000
    with local(tmp_path) as backend, ThreadPoolExecutor(IN_FLIGHT) as pool:
        backend.apply(intent("v1"))
        settles(backend, [("1", 100)], created="1")
        backend.apply(intent("v2", 10))
        settles(backend, CANARY, created="2")
        draining = _child(backend, "00001")
        ask = partial(
            requests.post,
            f"http://127.0.0.1:{backend.port}/v1/models/intent:predict",
            json={"instances": texts},
            headers={"Host": f"prev-{HOST}"},
            timeout=60,
        )
        draining.process.suspend()  # a request may not work as long as this takes
        flights = [pool.submit(ask) for _ in range(IN_FLIGHT)]
        envoy = Admin(int(_child(backend, "envoy").env["ADMIN_PORT"]))
        until(lambda: envoy.active_requests(draining.role) == IN_FLIGHT)
        backend.patch(None)
        settles(backend, [("2", 100)], created="2")
        assert not all(flight.done() for flight in flights), "over before the drain"
        assert draining.is_alive()
        draining.process.resume()
        answers = [flight.result().json()["predictions"] for flight in flights]
        assert [len(answer) for answer in answers] == [len(texts)] * IN_FLIGHT
        until(lambda: not draining.is_alive())


def test_a_canary_that_cannot_start_is_one_line(tmp_path: Path) -> None:
    with local(tmp_path) as backend:
        backend.apply(intent("v1"))
        settles(backend, [("1", 100)], created="1")
        path = tmp_path / "broken.yaml"
        path.write_text(yaml.safe_dump(broken(10, deadline="30s")))
        code, printed = backend.run("apply", "-f", str(path))
        assert code == 1
        assert "models/v9/metadata.json: No such file" in printed.splitlines()[-1]
        assert answered(backend) == {"1": 40}


def test_a_taken_port_is_one_line_and_starts_nothing(tmp_path: Path) -> None:
    backend = Local(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, printed = backend.run(
            "apply", "-f", "manifests/isvc-v1.yaml", "--port", port
        )
    assert code == 1
    assert printed.startswith(f"error: port {port}: Address already in use")
    assert len(printed.splitlines()) == 1
    assert processes.find(backend.folder) == []


def test_a_percent_of_150_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "isvc.yaml"
    path.write_text(yaml.safe_dump(intent("v2", 150)))
    code, printed = Local(tmp_path).run("apply", "-f", str(path))
    assert code == 1
    assert printed == (
        f"error: {path}: spec.predictor.canaryTrafficPercent: expected an integer "
        "from 0 to 100, got 150\n"
    )


def test_down_ends_what_a_killed_supervisor_left(tmp_path: Path) -> None:
    with local(tmp_path) as backend:
        backend.apply(intent("v1"))
        settles(backend, [("1", 100)], created="1")
        killed(_child(backend, "supervisor"))
        assert backend.run("down") == (0, "ended 2 processes\n")
        assert processes.find(backend.folder) == []
        assert not backend.folder.exists()


@pytest.mark.parametrize("verb", ["get", "logs", "patch"])
def test_before_anything_was_applied_each_verb_says_so(
    tmp_path: Path, verb: str
) -> None:
    args = {"get": (), "logs": ("intent",), "patch": ("intent", "--percent", "1")}
    code, printed = Local(tmp_path).run(verb, *args[verb])
    assert code == 1
    assert printed.startswith("error: no")


def test_down_where_nothing_runs_is_no_error(tmp_path: Path) -> None:
    assert Local(tmp_path).run("down") == (0, "ended 0 processes\n")


def test_commands_work_from_any_folder(tmp_path: Path) -> None:
    assert (ROOT / "manifests").is_dir()
    code, printed = run("scripts.local", "--dir", str(tmp_path / "x"), "get")
    assert (code, "nothing was applied" in printed) == (1, True)


def test_a_folder_that_is_none_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, printed = run(
        *("scripts.local", "--dir", str(tmp_path / "file")),
        *("apply", "-f", "manifests/isvc-v1.yaml", "--port", "0"),
    )
    assert (code, len(printed.splitlines())) == (1, 1)
    assert printed.startswith("error: ")
