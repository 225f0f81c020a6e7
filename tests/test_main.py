"""python -m predictor: it starts, or says in one line why not."""

import json
import shutil
import signal
import socket
from pathlib import Path

import psutil
import pytest
import requests

from predictor.facts import METADATA_FILE, MODEL_FILE
from tests.support.commands import run
from tests.support.predictors import MODELS, predictor


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MODELS / "v1", tmp_path / "v1"))


def _refused(model: Path, *args: str) -> str:
    """The one line of a predictor that does not start, after its exit code."""
    code, printed = run("predictor", f"--model_dir={model}", *args)
    lines = [line for line in printed.splitlines() if not line.startswith("{")]
    assert len(lines) == 1, printed
    return f"{code} {lines[0]}"


def test_a_corrupted_pickle_is_exit_3(model: Path) -> None:
    (model / MODEL_FILE).write_bytes(b"corrupted")
    assert _refused(model).startswith(f"3 error: {model / MODEL_FILE}: its sha256 is")


def test_a_wrong_scikit_learn_is_exit_3(model: Path) -> None:
    path = model / METADATA_FILE
    facts = json.loads(path.read_text())
    facts["packages"]["scikit-learn"] = "0.24.2"
    path.write_text(json.dumps(facts))
    assert "3 error" in (line := _refused(model))
    assert "fitted with scikit-learn 0.24.2" in line


def test_a_missing_folder_is_exit_3(tmp_path: Path) -> None:
    assert "No such file or directory" in _refused(tmp_path / "nowhere")


def test_another_digest_than_the_manifests_is_exit_3() -> None:
    line = _refused(MODELS / "v1", "--model_sha256", "ab" * 32)
    assert line.startswith("3 error")
    assert "model_sha256 says abab" in line


def test_an_empty_digest_is_an_error_and_not_off() -> None:
    line = _refused(MODELS / "v1", "--model_sha256=")
    assert line.startswith("4 error")
    assert "expected 64 hexadecimal digits, got ''" in line


@pytest.mark.parametrize("flag", ["--http_port", "--grpc_port"])
def test_a_taken_port_is_exit_4(flag: str) -> None:
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = _refused(MODELS / "v1", "--http_port=0", f"{flag}={port}")
    assert line.startswith(f"4 error: {flag} {port}: Address already in use")


def test_several_workers_are_refused() -> None:
    assert _refused(MODELS / "v1", "--workers=2").startswith("4 error: --workers 2")


def test_a_port_from_the_environment_must_be_a_number() -> None:
    code, printed = run("predictor", env={"PORT": "tcp://10.0.0.1:80"})
    assert code == 4
    assert "PORT: expected a port number" in printed


def test_the_environment_gives_ports_revision_and_digest(tmp_path: Path) -> None:
    facts = json.loads((MODELS / "v1" / METADATA_FILE).read_text())
    env = {"K_REVISION": "rev-3", "MODEL_SHA256": facts["sha256"]}
    with predictor(tmp_path, env=env) as server:
        answer = requests.get(f"{server.url}/v2", timeout=5)
        assert answer.headers["x-revision"] == "rev-3"


def test_it_listens_only_where_it_is_told(tmp_path: Path) -> None:
    with predictor(tmp_path, "--host=127.0.0.1") as server:
        open_ports = psutil.Process(server.process.pid).connections("inet")
        listening = {each.laddr for each in open_ports if each.status == "LISTEN"}
    ips = {address.ip.removeprefix("::ffff:") for address in listening}
    assert ips == {"127.0.0.1"}
    assert len(listening) == 2


def test_sigterm_ends_it_with_exit_0(tmp_path: Path) -> None:
    with predictor(tmp_path) as server:
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=20) == 0


def test_requests_are_logged_only_if_asked(tmp_path: Path) -> None:
    with predictor(tmp_path, "--log_requests") as server:
        requests.post(f"{server.url}/predict", json={"text": "hi"}, timeout=5)
        requests.get(f"{server.url}/metrics", timeout=5)
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    (logged,) = [line for line in lines if line["message"] == "request"]
    assert (logged["protocol"], logged["code"]) == ("predict", 200)
