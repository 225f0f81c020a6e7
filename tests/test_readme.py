"""README's commands, run as they stand there, in a copy with a space in its path."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.local.processes import ROOT, find, free_ports

pytestmark = pytest.mark.timeout(480)

README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _commands() -> list[str]:
    lines = [line for block in BLOCK.findall(README) for line in block.splitlines()]
    return [line.partition("  #")[0].strip() for line in lines]


COMMANDS = _commands()
SERVER = next(line for line in COMMANDS if "-m predictor" in line)
MAKE = [line for line in COMMANDS if line.startswith("make")]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The tracked files, with this checkout's environment and models."""
    copy = tmp_path_factory.mktemp("a clone") / "intent classifier"
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout
    for name in names.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    shutil.copytree(ROOT / "models", copy / "models")
    (copy / ".venv").symlink_to(ROOT / ".venv")
    yield copy
    _run(copy, ".venv/bin/python -m scripts.local down", port=0)
    assert find(copy / ".local") == []


def _run(clone: Path, command: str, port: int) -> tuple[int, str]:
    command = command.replace("localhost:8080", f"localhost:{port}")
    for module, option in (
        ("scripts.infer", f"--url http://localhost:{port}"),
        ("scripts.local apply", f"--port {port}"),
    ):
        command = command.replace(module, f"{module} {option}")
    if command.startswith("make demo"):
        command += f" PORT={port}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=clone,
        capture_output=True,
        text=True,
        timeout=200,
        env={key: value for key, value in os.environ.items() if key != "MAKEFLAGS"},
    )
    return done.returncode, done.stdout + done.stderr


def test_every_command_works_in_the_order_of_the_page(clone: Path) -> None:
    """The server of its own is started in the next test, it does not end by itself."""
    (port,) = free_ports(1)
    for command in COMMANDS:
        if command == SERVER or command in ("make train", "make evaluate"):
            continue
        code, printed = _run(clone, command, port)
        assert code == 0, (command, printed)
        assert '{"error"' not in printed, (command, printed)
        if command == "make demo":
            _check_demo(printed)
            assert find(clone / ".local") == []
        if "scripts.canary replay" in command:
            assert "verdict: promoted, exit code 0; lines 1 to" in printed
        time.sleep(0.5 if "patch" in command else 0)


def _check_demo(printed: str) -> None:
    """A split, a promotion through gates that opened on evidence, a rollback."""
    assert "2000 requests, codes 200: 2000" in printed
    assert "verdict: promoted, exit code 0" in printed
    assert "verdict: rolled_back, exit code 10" in printed
    promoted, _, _ = printed.partition("verdict: promoted")
    found = re.findall(r"(\d+) % -> (\d+) % (on .*|by .*)", promoted)
    gates = list(dict.fromkeys(found))
    assert {how for _, _, how in gates} == {"on evidence"}
    assert [low for low, _, _ in gates][1:] == [high for _, high, _ in gates][:-1]
    assert gates[-1][:2] == ("50", "95")
    failed = re.findall(r"requests meanwhile, (\d+) of them failed", printed)
    assert int(failed[0]) == 0
    assert 0 < int(failed[1]) <= 40
    for path in re.findall(r"^report: (.*)$", printed, re.MULTILINE):
        assert "<h1>" in Path(path).read_text(encoding="utf-8")
    assert printed.count("\nreport: ") == 2


def test_the_tutorials_address(clone: Path) -> None:
    assert SERVER.endswith("--http_port 6000")
    ports = free_ports(2)
    command = SERVER.replace("6000", f"{ports[0]} --grpc_port {ports[1]}")
    ask = f"curl -s --retry 60 --retry-connrefused --retry-delay 1 localhost:{ports[0]}"
    script = (
        f'{command} & server=$!; {ask}/predict -d \'{{"text": "hi"}}\'; kill $server'
    )
    code, printed = _run(clone, f"{script}; wait $server", port=0)
    assert code == 0, printed
    assert '"intent":"greeting"' in printed


@pytest.mark.parametrize("command", [m for m in MAKE if "demo" not in m])
def test_training_targets_exist_and_know_what_is_up_to_date(
    clone: Path, command: str
) -> None:
    code, printed = _run(clone, f"{command} --dry-run", port=0)
    assert code == 0, printed
    assert "training.train" not in printed


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(((?!https://)[^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_make_help_lists_every_target_with_a_description() -> None:
    targets = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.M)
    done = subprocess.run(
        ["make", "-C", str(ROOT), "help"], capture_output=True, text=True, check=True
    )
    assert [name for name in targets if f"  {name} " not in done.stdout] == []


def test_a_taken_port_stops_the_demo_in_one_line(clone: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, printed = _run(clone, "make demo", port=taken.getsockname()[1])
    assert code == 2
    assert "Address already in use; stop what listens there or choose" in printed
    assert find(clone / ".local") == []
