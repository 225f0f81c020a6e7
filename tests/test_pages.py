"""The commands of README and docs/, run as they stand, below a path with a space.

A page's `sh` blocks are run here. Its `console` blocks need a cluster, a registry or
another shell: they are shown, and what they name must exist.
"""

import os
import re
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import joblib
import pytest

from scripts.local.processes import ROOT, find, free_ports
from scripts.rollout.errors import Exit
from tests.support import documentation, own_pipelines

pytestmark = pytest.mark.timeout(480)

PAGES = documentation.names()
COMMANDS = {name: documentation.commands(name) for name in PAGES}
EVERY = [command for commands in COMMANDS.values() for command in commands]
SERVER = next(command for command in EVERY if "-m predictor" in command)
MAKE = [command for command in EVERY if command.startswith("make")]
SHOWN = [
    line.removeprefix("$ ").partition("  #")[0].strip()
    for name in PAGES
    for block in documentation.blocks(name, "console")
    for line in block.splitlines()
    if line.startswith("$ ")
]
REPLAYED = "verdict: promoted, exit code 0; lines 1 to"


@pytest.fixture(scope="module")
def port() -> int:
    """Where the gateway of all pages listens."""
    return free_ports(1)[0]


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
    joblib.dump(own_pipelines.spam(), copy / "mine.pkl")
    (copy / ".venv").symlink_to(ROOT / ".venv")
    # A lock that is newer than the environment would have make clear it for everybody.
    os.utime(copy / "requirements.lock", (0, 0))
    documentation.install(copy.parent / "programs", copy)
    yield copy
    _run(copy, "intent-local down", port=0)
    assert find(copy / ".local") == []


def _run(clone: Path, command: str, port: int) -> tuple[int, str]:
    command = command.replace("localhost:8080", f"localhost:{port}")
    for program, option in (
        ("intent-infer", f"--url http://localhost:{port}"),
        ("intent-local apply", f"--port {port}"),
    ):
        command = command.replace(program, f"{program} {option}")
    if command.startswith("make demo"):
        command += f" PORT={port}"
    programs = [clone.parent / "programs", clone / ".venv" / "bin"]
    path = ":".join([*map(str, programs), os.environ["PATH"]])
    kept = {key: value for key, value in os.environ.items() if key != "MAKEFLAGS"}
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=clone,
        capture_output=True,
        text=True,
        timeout=400,  # make demo, measured, beside other tests
        env=kept | {"PATH": path},
    )
    return done.returncode, done.stdout + done.stderr


def _work_through(clone: Path, port: int, page: str) -> None:
    """Run a page's commands in order; the server of its own has a test of its own."""
    for command in COMMANDS[page]:
        if command == SERVER or command in ("make train", "make evaluate"):
            continue
        code, printed = _run(clone, command, port)
        assert code == 0, (command, printed)
        assert '{"error"' not in printed, (command, printed)
        if command == "make demo":
            _check_demo(printed)
            assert find(clone / ".local") == []
        if command.startswith("intent-canary replay .local"):
            assert REPLAYED in printed
        if "kubectl_complete" in command:
            assert printed == "status\n:4\n"


@pytest.fixture(scope="module")
def after_readme(clone: Path, port: int) -> Path:
    """The clone once README's commands have been run, from which other pages go on."""
    _work_through(clone, port, "README.md")
    return clone


def test_readmes_commands_work_in_their_order(after_readme: Path) -> None:
    kept = after_readme / ".local" / "rollouts" / "default.intent"
    assert "<h1>" in (kept / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [name for name in PAGES[1:] if COMMANDS[name]])
def test_a_pages_commands_work_in_their_order(
    after_readme: Path, port: int, page: str
) -> None:
    _work_through(after_readme, port, page)


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
    counted = re.findall(r"(\d+) requests meanwhile, (\d+) of them failed", printed)
    (sent, none), (_, some) = (map(int, each) for each in counted)
    assert sent > 100
    assert none == 0
    assert 0 < some <= 40
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
    broken = []
    for name in PAGES:
        for link in re.findall(r"\]\(((?!https://)[^)]+)\)", documentation.text(name)):
            file, _, section = link.partition("#")
            path = ((ROOT / name).parent / file) if file else ROOT / name
            if not path.exists() or (section and section not in _sections(path)):
                broken.append(f"{name}: {link}")
    assert broken == []


def _sections(page: Path) -> list[str]:
    """Names of a page's sections, as GitHub makes them from the headings."""
    found = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in found]


def test_every_page_is_found_from_readme() -> None:
    readme = documentation.text("README.md")
    assert [name for name in PAGES[1:] if f"]({name})" not in readme] == []


def test_what_is_only_shown_names_targets_and_files_that_exist() -> None:
    known = re.findall(r"^([a-z0-9-]+):.*## ", (ROOT / "Makefile").read_text(), re.M)
    targets = [line.split()[1] for line in SHOWN if line.startswith("make ")]
    files = re.findall(r"-[fk] (manifests\S*)", "\n".join(SHOWN))
    assert targets
    assert files
    assert [each for each in targets if each not in known] == []
    assert [each for each in files if not (ROOT / each).exists()] == []


@pytest.mark.parametrize("line", [each for each in SHOWN if "intent-" in each])
def test_what_is_only_shown_uses_verbs_and_options_that_exist(
    clone: Path, line: str
) -> None:
    for command in re.findall(r"\bintent-(?:canary|local|infer) [^|&]*", line):
        program, *words = shlex.split(command)
        verb = [] if words[0].startswith("-") else words[:1]
        code, told = _run(clone, shlex.join([program, *verb, "--help"]), port=0)
        assert code == 0, told
        assert [each for each in words if each[0] == "-" and each not in told] == []


def test_the_page_on_operation_lists_every_exit_code() -> None:
    listed = re.findall(
        r"^\| (\d+) \|", documentation.text("docs/operate.md"), re.MULTILINE
    )
    assert [int(each) for each in listed] == sorted(Exit)


def test_readme_is_short() -> None:
    assert len(documentation.text("README.md").splitlines()) <= 170


def test_make_help_lists_every_target_with_a_description() -> None:
    targets = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.M)
    done = subprocess.run(
        ["make", "-C", str(ROOT), "help"], capture_output=True, text=True, check=True
    )
    assert [name for name in targets if f"  {name} " not in done.stdout] == []


def test_a_taken_port_stops_the_demo_in_one_line(clone: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, printed = _run(clone, "make demo", port=taken.getsockname()[1])
    assert code == 2
    assert "Address already in use; stop what listens there or choose" in printed
    assert find(clone / ".local") == []
