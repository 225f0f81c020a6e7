"""Webhooks over real HTTP: one a transition, sent again, never in the loop's way."""

import subprocess
import sys
import threading
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from scripts.local.processes import ROOT, free_ports
from scripts.rollout.errors import Exit
from scripts.rollout.integrations import webhook
from scripts.rollout.integrations.webhook import Notify, Receiver
from scripts.rollout.journal.broadcast import Broadcast
from scripts.rollout.loop.runner import Runner
from scripts.rollout.loop.world import World
from scripts.rollout.policy.integrations import Webhook
from tests.support.folder_world import FolderWorld
from tests.support.receiver import received
from tests.support.worlds import POLICY, policy

TRANSITIONS = 8


def _promoted(folder: Path, webhook: Webhook) -> None:
    """Take a good canary through."""
    cluster = FolderWorld(folder)
    with closing(Notify(Receiver(webhook, 0), "default.intent")) as told:
        heard = Broadcast(cluster.journal, None, [told])
        world = World(cluster, cluster, heard, cluster.now, lambda _: None, print)
        assert Runner(policy(), POLICY, world).run() is Exit.PROMOTED


def test_every_transition_is_told_once_and_again_where_it_was_refused(
    httpserver: HTTPServer, tmp_path: Path
) -> None:
    for _ in range(2):
        httpserver.expect_oneshot_request("/hook").respond_with_data(status=503)
    httpserver.expect_request("/hook").respond_with_data()
    _promoted(tmp_path, Webhook(url=httpserver.url_for("/hook")))
    assert [answer.status_code for _, answer in httpserver.log[:3]] == [503, 503, 200]
    got = received(httpserver)
    assert [(each["phase"], each["weight"]) for each in got] == [
        ("Preflight", 0),
        ("Warmup", 0),
        *(("Step", 5), ("Step", 25), ("Step", 50)),
        *(("Bake", 95), ("Promoting", 100), ("Promoted", 100)),
    ]
    assert got[2]["notes"][-1] == "first step: 5 %"
    assert got[-1]["verdict"] == "PROMOTED"


def test_a_receiver_that_hangs_delays_nothing(
    httpserver: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop is through before the receiver was told of every transition."""
    monkeypatch.setattr(webhook, "PATIENCE_S", 0.1)
    asked, is_over = count(), threading.Event()

    def hang(request: Request) -> Response:
        del request
        next(asked)
        is_over.wait(30)
        return Response()

    httpserver.expect_request("/hook").respond_with_handler(hang)
    _promoted(tmp_path, Webhook(url=httpserver.url_for("/hook")))
    assert next(asked) < TRANSITIONS
    is_over.set()


def test_nobody_there_is_said_and_decides_nothing(tmp_path: Path) -> None:
    """The whole command line: the verdict stands, the line is on standard error."""
    (port,) = free_ports(1)
    code = (
        "from scripts.rollout.integrations import webhook\n"
        "webhook.FIRST_PAUSE_S = 0.01\n"
        "from tests.rollout.integrations.test_webhook import _promoted\n"
        "from scripts.rollout.policy.integrations import Webhook\n"
        "from pathlib import Path\n"
        f"_promoted(Path({str(tmp_path)!r}), Webhook(url='http://127.0.0.1:{port}/secret'))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"no receipt from 127.0.0.1:{port}" in done.stderr
    assert "secret" not in done.stderr
