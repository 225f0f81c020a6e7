"""A VM without one: manifests/vm's gateway and predictors as processes of a test."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import requests

from scripts.inference.clients import Answer, connect
from scripts.inference.clients import Target as Address
from scripts.inference.load import steady
from scripts.local.processes import ROOT, free_ports
from scripts.rollout.errors import Unreachable
from scripts.rollout.metrics.haproxy import Runtime
from scripts.rollout.policy.policy import Target
from scripts.rollout.traffic.haproxy import HaproxyTraffic
from tests.support import commands, debian
from tests.support.stage import POLICY, RPS, Promoting, texts
from tests.support.waiting import POLL_S, until

MANIFESTS = ROOT / "manifests" / "vm"
LIBRARIES = ("liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1")
SIGNAL_S = 3.0
# What systemd does about a predictor that ended, with its RestartSec.
RESTARTED = 'while :; do "$@"; sleep 1; done'


def haproxy() -> Path:
    """The program, from Debian's package."""
    return debian.program("usr/sbin/haproxy", "haproxy", *LIBRARIES)


class Vm(Promoting):
    """HAProxy before two servers, each of which is a predictor or nothing."""

    def __init__(self, folder: Path) -> None:
        """Keep everything below `folder`."""
        self.folder = folder
        self.ports = dict(zip(("gateway", "v1", "v2"), free_ports(3), strict=True))
        self.url = f"http://127.0.0.1:{self.ports['gateway']}"
        self.socket = folder / "haproxy.sock"
        self.runtime = Runtime(self.socket, "intent")
        self.config = folder / "haproxy.cfg"
        self.config.write_text(self.here(MANIFESTS / "etc/haproxy/haproxy.cfg"))
        self.gateway: subprocess.Popen[bytes] | None = None
        self.predictors: dict[str, subprocess.Popen[bytes]] = {}

    def here(self, file: Path) -> str:
        """A configuration with this folder's paths, free ports and no other user."""
        text = file.read_text(encoding="utf-8")
        for shipped, port in (
            (" :6000", self.ports["gateway"]),
            (" 127.0.0.1:8101", self.ports["v1"]),
            (" 127.0.0.1:8102", self.ports["v2"]),
        ):
            text = text.replace(shipped, f" 127.0.0.1:{port}")
        text = text.replace("/run/intent", str(self.folder)).replace(
            "group intent ", ""
        )
        return re.sub(r"^  (user|group|log|chroot) .*\n", "", text, flags=re.MULTILINE)

    def begin(self, *files: Path) -> None:
        """Start HAProxy as systemd does: a master that a signal reloads."""
        command = [str(haproxy()), "-W", "-db"]
        for file in (self.config, *files):
            command += ["-f", str(file)]
        with (self.folder / "haproxy.log").open("ab") as log:
            self.gateway = subprocess.Popen(command, stdout=log, stderr=log)
        until(self._answers, shown=(self.folder / "haproxy.log").read_text)

    def _answers(self) -> bool:
        with suppress(requests.RequestException):
            return requests.get(self.url, timeout=1).status_code > 0
        return False

    def reload(self) -> None:
        """Have HAProxy read its file anew; wait for the process that does.

        A master that has only just begun loses the signal, so it is sent again.
        """
        before, _ = self.runtime.began()
        until(partial(self._is_another, before))

    def _is_another(self, before: str) -> bool:
        assert self.gateway is not None
        self.gateway.send_signal(signal.SIGUSR2)
        deadline = time.monotonic() + SIGNAL_S
        while time.monotonic() < deadline:
            with suppress(Unreachable):
                if self.runtime.began()[0] != before:
                    return True
            time.sleep(POLL_S)
        return False

    def kill(self) -> None:
        """SIGKILL HAProxy, master and worker."""
        assert self.gateway is not None
        worker, _ = self.runtime.began()
        subprocess.run(["kill", "-KILL", str(self.gateway.pid), worker], check=True)
        self.gateway.wait()

    def serve(self, server: str, model: Path) -> None:
        """Start a predictor there, and start it again whenever it ends."""
        command = [sys.executable, "-P", "-m", "predictor", f"--model_dir={model}"]
        flags = [f"--http_port={self.ports[server]}", "--enable_grpc=false"]
        pin = json.loads((model / "metadata.json").read_text())["sha256"]
        flags += [f"--revision={server}", "--host=127.0.0.1", f"--model_sha256={pin}"]
        run = ["sh", "-c", RESTARTED, "sh", *command, *flags]
        # A faulty pipeline is a class of tests.faults, which -P would not find.
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        with (self.folder / f"{server}.log").open("ab") as log:
            self.predictors[server] = subprocess.Popen(
                run, cwd=ROOT, env=env, stdout=log, stderr=log, start_new_session=True
            )

    def stop(self, server: str) -> None:
        """End a predictor for good, where there is one."""
        process = self.predictors.pop(server, None)
        if process is None:
            return
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        until(lambda: not _is_listening(self.ports[server]))

    def is_up(self, server: str) -> bool:
        """Whether HAProxy sends requests there, and a predictor takes them."""
        (found,) = [each for each in self.runtime.servers() if each.name == server]
        return found.is_up and _is_listening(self.ports[server])

    def is_out(self, server: str) -> bool:
        """Whether HAProxy sends nothing there any more."""
        (found,) = [each for each in self.runtime.servers() if each.name == server]
        return not found.is_up

    def weights(self) -> tuple[int, int]:
        """The weights in force."""
        one, other = (each.weight for each in self.runtime.servers())
        return one, other

    def canary(self) -> str:
        """The canary's revision, as the promotion script calls it from now on."""
        target = Target(proxy="intent", backend="haproxy", control=str(self.socket))
        return HaproxyTraffic(self.socket, target, "gateway").observe().created

    def set_by_hand(self, percent: int) -> None:
        """Set the canary's percent past the promotion script."""
        self.runtime.set_weights({"v2": percent, "v1": 100 - percent})

    def back(self) -> None:
        """All traffic at v1 again, and no rollout yet."""
        self.forget()
        self.set_by_hand(0)

    def users(self, rps: float = RPS) -> AbstractContextManager[list[Answer]]:
        """Requests at a steady rate until the block ends, and their answers."""
        ask = partial(connect, "v2", Address(self.url, None, "intent"))
        return steady(ask, texts(), rps, concurrency=8)

    def forget(self) -> None:
        """Begin as if there had been no rollout."""
        shutil.rmtree(self.folder / "rollouts", ignore_errors=True)

    def said(self) -> str:
        """What the predictors wrote to their logs."""
        return "".join(each.read_text() for each in self.folder.glob("v*.log"))

    def policy(self, text: str = POLICY) -> Path:
        """A policy for this gateway."""
        target = f"{{proxy: intent, backend: haproxy, control: {self.socket}}}"
        path = self.folder / "rollout.yaml"
        path.write_text(f"target: {target}\n{text}")
        return path

    def command(self, *args: str) -> list[str]:
        """A verb of the promotion script, its journal in this folder."""
        here = ["--dir", str(self.folder)]
        return [sys.executable, "-m", "scripts.canary", *args, *here]

    def records(self, kind: str = "look") -> list[dict[str, Any]]:
        """Lines of the journal, none before it is begun."""
        path = self.folder / "rollouts" / "default.intent" / "journal.jsonl"
        text = path.read_text() if path.exists() else ""
        lines = [json.loads(line) for line in text.splitlines()]
        return [each for each in lines if each["kind"] == kind]


@contextmanager
def vm(folder: Path) -> Iterator[Vm]:
    """HAProxy until the block ends, and whatever was served behind it."""
    built = Vm(folder)
    built.begin()
    try:
        yield built
    finally:
        for server in list(built.predictors):
            built.stop(server)
        assert built.gateway is not None
        commands.end(built.gateway)


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
