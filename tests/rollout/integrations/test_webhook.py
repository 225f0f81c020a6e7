"""Webhooks over real HTTP: one a transition, sent again, never in the loop's way."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from scripts.local.processes import ROOT, free_ports
from scripts.rollout.errors import Exit
from scripts.rollout.integrations import webhook
from scripts.rollout.integrations.webhook import Notify
from scripts.rollout.journal.broadcast import Broadcast
from scripts.rollout.loop.runner import Runner
from scripts.rollout.loop.world import World
from scripts.rollout.policy.integrations import Webhook
from tests.support.folder_world import FolderWorld
from tests.support.predictors import serving
from tests.support.worlds import POLICY, policy


class Receiver(ThreadingHTTPServer):
    """Keeps what it was sent; refuses the first `refuses` of it."""

    daemon_threads = True

    def __init__(self) -> None:
        """On a free port."""
        self.got: list[dict[str, Any]] = []
        self.refuses, self.seconds = 0, 0.0
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/hook"


class Handler(BaseHTTPRequestHandler):
    """Answers 200, or 503."""

    server: Receiver

    def do_POST(self) -> None:
        """Keep it."""
        time.sleep(self.server.seconds)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.refuses -= 1
        if self.server.refuses < 0:
            self.server.got.append(json.loads(body))
        self.send_response(503 if self.server.refuses >= 0 else 200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with serving(Receiver()) as server:
        yield server


def _promoted(folder: Path, webhook: Webhook) -> float:
    """Take a good canary through; seconds that the loop took."""
    cluster = FolderWorld(folder)
    told = Notify(webhook, "default.intent")
    heard = Broadcast(cluster.journal, None, [told])
    world = World(cluster, cluster, heard, cluster.now, lambda _: None, print)
    began = time.monotonic()
    assert Runner(policy(), POLICY, world).run() is Exit.PROMOTED
    took = time.monotonic() - began
    told.close()
    return took


def test_every_transition_is_told_once_and_again_where_it_was_refused(
    receiver: Receiver, tmp_path: Path
) -> None:
    receiver.refuses = 2
    _promoted(tmp_path, Webhook(url=receiver.url))
    told = [(each["phase"], each["weight"]) for each in receiver.got]
    assert told == [
        ("Preflight", 0),
        ("Warmup", 0),
        *(("Step", 5), ("Step", 25), ("Step", 50)),
        *(("Bake", 95), ("Promoting", 100), ("Promoted", 100)),
    ]
    assert receiver.got[2]["notes"][-1] == "first step: 5 %"
    assert receiver.got[-1]["verdict"] == "PROMOTED"


def test_slack_gets_a_sentence(receiver: Receiver, tmp_path: Path) -> None:
    _promoted(tmp_path, Webhook(url=receiver.url, format="slack"))
    assert receiver.got[-1] == {
        "text": "default.intent: r-00002 Promoted at 100 %. r-00002 promoted"
    }


def test_a_receiver_that_hangs_delays_nothing(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "PATIENCE_S", 0.1)
    receiver.seconds = 3.0
    assert _promoted(tmp_path, Webhook(url=receiver.url)) < 3.0


def test_nobody_there_is_said_and_decides_nothing(tmp_path: Path) -> None:
    """The whole command line: the verdict stands, the line is on standard error."""
    (port,) = free_ports(1)
    code = (
        "from scripts.rollout.integrations import webhook\n"
        "webhook.FIRST_PAUSE_S = 0.01\n"
        "from tests.rollout.integrations.test_webhook import _promoted\n"
        "from scripts.rollout.policy.integrations import Webhook\n"
        "from pathlib import Path\n"
        f"_promoted(Path({str(tmp_path)!r}), Webhook(url='http://127.0.0.1:{port}/x'))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"no receipt from http://127.0.0.1:{port}/x" in done.stderr
