"""The VM with a real systemd: a Debian container that boots, and the page's commands.

`make homes`, where there is podman.
"""

import os
import re
import shlex
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import pytest

from tests.support import checkout, documentation
from tests.support.stage import POLICY, texts
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(1500)
PAGE = "manifests/vm/README.md"
IMAGE = "localhost/intent-vm"
# What a VM of Debian has and an image lacks.
DOCKERFILE = """\
FROM python:3.11-slim
RUN apt-get update && apt-get install --yes --no-install-recommends systemd dbus
COPY . /root/vm
WORKDIR /root/vm
RUN {commands}
CMD ["/lib/systemd/systemd"]
"""
# Users: a request each sixtieth of a second, its status a line.
USERS = """
import http.client, itertools, json, sys, time
for text in itertools.cycle({texts!r}):
    time.sleep(1 / 60)
    asked = http.client.HTTPConnection("127.0.0.1", 6000, timeout=10)
    try:
        asked.request("POST", "/predict", json.dumps({{"text": text}}))
        print(asked.getresponse().status, flush=True)
    except OSError as error:
        print(type(error).__name__, flush=True)
    asked.close()
"""
WEIGHTS = """
from pathlib import Path
from scripts.rollout.metrics.haproxy import Runtime
servers = Runtime(Path("/run/intent/haproxy.sock"), "intent").servers()
print(*(each.weight for each in servers))
"""


@dataclass(frozen=True)
class Machine:
    """A booted container."""

    name: str

    def ran(self, script: str) -> "subprocess.CompletedProcess[str]":
        """Run a script in it, as root."""
        command = ["podman", "exec", self.name, "sh", "-ec", script]
        return subprocess.run(command, capture_output=True, text=True, timeout=300)

    def sh(self, script: str) -> str:
        """Run a script that succeeds; what it prints."""
        done = self.ran(script)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def shows(self, unit: str, *names: str) -> list[str]:
        """Properties of a unit."""
        flags = " ".join(f"-p {name}" for name in names)
        lines = self.sh(f"systemctl show {unit} {flags}").splitlines()
        found = dict(line.split("=", 1) for line in lines)
        return [found[name] for name in names]

    def is_in(self, unit: str, state: str) -> bool:
        """Whether a unit is in a state."""
        return self.shows(unit, "ActiveState") == [state]

    def python(self, code: str) -> str:
        """Run code by the installed Python."""
        return self.sh(f"/opt/intent/bin/python -c {shlex.quote(code)}")


def _commands() -> list[str]:
    """The page's, for a fresh VM."""
    (block,) = documentation.blocks(PAGE, "console")
    return [line.removeprefix("$ ") for line in block.splitlines()]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Both versions behind HAProxy, by the page's commands."""
    if shutil.which("podman") is None:
        pytest.skip("needs podman")
    clone = checkout.copy(tmp_path_factory.mktemp("systemd"))
    subprocess.run(["make", "vm"], cwd=clone, check=True)
    folder = clone / "build" / "vm"
    commands = _commands()
    first = next(i for i, each in enumerate(commands) if "systemctl" in each)
    text = DOCKERFILE.format(commands=" && ".join(commands[:first]))
    (folder / "Dockerfile").write_text(text)
    builder = shlex.split(os.environ.get("IMAGE_BUILD", "podman build"))
    subprocess.run([*builder, "-q", "-t", IMAGE, str(folder)], check=True)
    # Its own limits may be above what this place allows.
    limits = ("--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096")
    alone = ("--systemd=always", "--privileged", "--network=none")
    run = ["podman", "run", "--detach", *limits, *alone, IMAGE]
    done = subprocess.run(run, check=True, capture_output=True, text=True)
    built = Machine(done.stdout.strip())
    try:
        until(lambda: built.ran("systemctl is-system-running").returncode == 0)
        begin = commands.index("systemctl start intent-rollout@intent")
        for command in commands[first:begin]:
            built.sh(command)
        yield built
    finally:
        subprocess.run(["podman", "rm", "-f", built.name], capture_output=True)
        subprocess.run(["podman", "rmi", IMAGE], capture_output=True)


def test_the_pages_commands_start_a_vm_that_answers(machine: Machine) -> None:
    for unit in ("intent@v1", "intent@v2", "haproxy"):
        assert machine.is_in(unit, "active")
    said = machine.sh('curl -s 127.0.0.1:6000/predict -d \'{"text": "hello"}\'')
    assert '"intent":"greeting"' in said


@pytest.mark.parametrize("unit", ["intent@v1", "intent-rollout@intent"])
def test_systemd_rates_a_unit_as_safe(machine: Machine, unit: str) -> None:
    said = machine.sh(f"systemd-analyze security --no-pager {unit}")
    (exposure,) = re.findall(r"Overall exposure level .*: ([\d.]+) ", said)
    print(unit, exposure)
    assert float(exposure) <= 2.0


def test_a_predictor_sees_models_that_it_cannot_write(machine: Machine) -> None:
    (pid,) = machine.shows("intent@v1", "MainPID")
    file = f"/proc/{pid}/root/var/lib/intent/models/v1/intent_model.pkl"
    done = machine.ran(f"cat {file} >/dev/null && touch {file}")
    assert done.returncode != 0
    assert "Read-only file system" in done.stderr


def test_a_predictor_that_is_killed_is_started_again(machine: Machine) -> None:
    before = machine.shows("intent@v2", "MainPID", "NRestarts")
    machine.sh("systemctl kill -s KILL --kill-whom=main intent@v2")
    until(lambda: _is_another(machine, before[0]), 120)
    assert machine.shows("intent@v2", "NRestarts") == [str(int(before[1]) + 1)]


def _is_another(machine: Machine, before: str) -> bool:
    pid, state = machine.shows("intent@v2", "MainPID", "ActiveState")
    return pid != before and state == "active"


def test_a_model_of_another_digest_is_given_up_after_a_few_starts(
    machine: Machine,
) -> None:
    env = "/etc/intent/v2.env"
    machine.sh(f"cp {env} /root; sed -i 's/SHA256=.*/SHA256={64 * '0'}/' {env}")
    try:
        assert machine.ran("systemctl restart intent@v2").returncode != 0
        until(partial(machine.is_in, "intent@v2", "failed"), 240)
        said = machine.sh("journalctl -u intent@v2 -o cat")
        assert "not unpickled" in said
        assert "Start request repeated too quickly" in said
    finally:
        machine.sh(f"cp /root/v2.env {env}; systemctl reset-failed intent@v2")
        machine.sh("systemctl start intent@v2")


def test_a_killed_promoter_is_started_again_and_promotes(machine: Machine) -> None:
    users = shlex.quote(USERS.format(texts=texts()))
    asking = f"/opt/intent/bin/python -c {users} >/root/codes 2>&1"
    subprocess.run(["podman", "exec", "-d", machine.name, "sh", "-c", asking])
    slowly = POLICY.replace("dwell: 1s", "dwell: 5s")
    policy = f"target: {{proxy: intent, backend: haproxy}}\n{slowly}"
    machine.sh(f"echo {shlex.quote(policy)} >/etc/intent/intent.yaml")
    machine.sh("systemctl start intent-rollout@intent")
    until(lambda: machine.python(WEIGHTS) != "100 0", 120)
    machine.sh("systemctl kill -s KILL --kill-whom=main intent-rollout@intent")
    until(partial(machine.is_in, "intent-rollout@intent", "inactive"), 120)
    # An ended unit is forgotten, and what it counted with it.
    said = machine.sh("journalctl -u intent-rollout@intent -o cat")
    print(said)
    assert "code=killed, status=9/KILL" in said
    assert said.count("Scheduled restart job") == 1
    assert "going on at " in said
    assert "verdict: promoted" in said
    assert machine.python(WEIGHTS) == "0 100"
    journal = "/var/lib/intent-rollout/rollouts/default.intent/journal.jsonl"
    assert machine.sh(f"stat -c %U {journal}") == "intent"
    answers = Counter(machine.sh("cat /root/codes").split())
    print(answers)
    assert set(answers) == {"200"}
