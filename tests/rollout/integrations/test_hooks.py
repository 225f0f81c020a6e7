"""Hooks: what each answer means, and that a slow one delays nothing."""

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from scripts.rollout.errors import Exit
from scripts.rollout.integrations import hooks
from scripts.rollout.integrations.hooks import PolicyHooks
from scripts.rollout.journal.broadcast import Broadcast
from scripts.rollout.loop.runner import Runner
from scripts.rollout.loop.world import World
from scripts.rollout.policy.integrations import Hook
from scripts.rollout.state.actions import Answer, Consult, Says
from scripts.rollout.state.notes import NoteKind
from scripts.rollout.state.state import Phase
from tests.support.folder_world import FolderWorld
from tests.support.predictors import serving
from tests.support.worlds import POLICY, Rollout, policy

BOTH = "{pre: {command: [x]}, confirm: {command: [x]}}"


class Server(ThreadingHTTPServer):
    """Answers with the status that the path names."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.heard: list[dict[str, object]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """One question a connection."""

    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.heard.append(json.loads(body))
        status = int(self.path.removeprefix("/"))
        self.send_response(status)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"ask me")

    def log_message(self, format: str, *args: object) -> None:
        del format, args


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(Server()) as started:
        yield started


def _shell(script: str, timeout: str = "5s") -> Hook:
    return Hook.model_validate({"command": ["sh", "-c", script], "timeout": timeout})


@pytest.mark.parametrize(
    ("script", "says", "reason"),
    [
        ("echo fine", Says.YES, "fine"),
        ("true", Says.YES, "exit code 0"),
        ("echo first; echo broken >&2; exit 1", Says.NO, "broken"),
        ("exit 75", Says.NOT_YET, "exit code 75"),
        ("kill -9 $$", Says.NOT_YET, "exit code -9"),
        ('echo "$ROLLOUT_CANARY $ROLLOUT_WEIGHT"', Says.YES, "r-2 10"),
    ],
)
def test_what_a_commands_exit_code_means(script: str, says: Says, reason: str) -> None:
    assert hooks.ask(_shell(script), {"canary": "r-2", "weight": 10}) == (says, reason)


def test_a_command_that_hangs_or_is_not_there_says_nothing_yet() -> None:
    slow = hooks.ask(_shell("sleep 5", "100ms"), {})
    assert slow == (Says.NOT_YET, "no answer for 0.1 s")
    gone = Hook.model_validate({"command": ["/gone"]})
    assert hooks.ask(gone, {}) == (Says.NOT_YET, "/gone: No such file or directory")


@pytest.mark.parametrize(
    ("status", "says"),
    [(200, Says.YES), (403, Says.NO), (404, Says.NOT_YET), (503, Says.NOT_YET)],
)
def test_what_a_urls_status_means(server: Server, status: int, says: Says) -> None:
    hook = Hook.model_validate({"url": f"{server.url}/{status}"})
    assert hooks.ask(hook, {"weight": status}) == (says, "ask me")
    assert server.heard[-1] == {"weight": status}


def test_a_url_that_nobody_serves_says_nothing_yet() -> None:
    hook = Hook.model_validate({"url": "http://127.0.0.1:1/"})
    says, reason = hooks.ask(hook, {})
    assert says is Says.NOT_YET
    assert reason.startswith("no answer: ")


def test_the_loop_goes_on_while_a_hook_thinks() -> None:
    asked = PolicyHooks(policy(hooks="{confirm: {command: [sleep, '1']}}"), print)
    state, consult = Rollout.begun().state, Consult("confirm", 25)
    began = time.monotonic()
    asked.ask(consult, state)
    asked.ask(consult, state)
    assert asked.answer() is None
    assert time.monotonic() - began < 0.5
    while not asked.is_ready():
        assert time.monotonic() - began < 20
        time.sleep(0.05)
    assert asked.answer() == Answer("confirm", 25, Says.YES, "exit code 0")
    assert asked.answer() is None


def test_a_hook_that_has_just_answered_is_not_asked_at_every_look(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = PolicyHooks(policy(hooks=f"{{pre: {{url: '{server.url}/503'}}}}"), print)
    state, consult, before = Rollout.begun().state, Consult("pre", 5), len(server.heard)
    for _ in range(20):
        asked.ask(consult, state)
        asked.answer()
        time.sleep(0.05)
    assert len(server.heard) == before + 1
    monkeypatch.setattr(hooks, "AGAIN_S", 0.0)
    asked.ask(consult, state)
    while asked.answer() is None:
        time.sleep(0.05)
    assert len(server.heard) == before + 2


def _answered(rollout: Rollout, says: Says, looks: int = 60) -> list[str]:
    """Answer every question the same way; what was asked, with notes."""
    asked, answer = [], None
    for _ in range(looks):
        if rollout.state.is_over:
            break
        decision = rollout.look(answer=answer)
        answer = None
        for action in decision.actions:
            if isinstance(action, Consult):
                asked.append(f"{action.hook} {action.weight}")
                answer = Answer(action.hook, action.weight, says, "because")
    return asked


def test_each_raise_is_asked_about_once_where_the_answer_is_yes() -> None:
    rollout = Rollout.begun(policy(hooks=BOTH))
    asked = _answered(rollout, Says.YES)
    assert asked == ["pre 5", *(f"confirm {weight}" for weight in (25, 50, 95, 100))]
    assert rollout.state.phase is Phase.PROMOTED


def test_a_no_rolls_back_by_a_guard_and_says_why() -> None:
    rollout = Rollout.begun(policy(hooks="{confirm: {command: [x]}}"))
    assert _answered(rollout, Says.NO) == ["confirm 25"]
    assert rollout.state.verdict is Exit.GUARD
    assert rollout.state.reason == "guard: hook confirm says no to 25 %: because"


def test_no_answer_yet_is_asked_again_and_no_user_meets_the_canary() -> None:
    rollout = Rollout.begun(policy(hooks=BOTH))
    assert set(_answered(rollout, Says.NOT_YET, looks=20)) == {"pre 5"}
    assert (rollout.state.phase, rollout.percent) == (Phase.WARMUP, 0)
    said = rollout.look(answer=Answer("pre", 5, Says.NOT_YET)).notes
    assert [note.kind for note in said] == [NoteKind.HOOK_WAITS]


def test_an_answer_to_another_question_counts_for_nothing() -> None:
    rollout = Rollout.begun(policy(hooks="{confirm: {command: [x]}}"))
    rollout.until(Phase.STEP, 5)
    stale = Answer("confirm", 50, Says.YES)
    for _ in range(10):
        rollout.look(answer=stale)
    assert rollout.state.weight == 5


def test_the_end_is_told_to_post_once(tmp_path: Path, server: Server) -> None:
    chosen = policy(hooks=f'{{post: {{url: "{server.url}/200"}}}}')
    cluster = FolderWorld(tmp_path)
    asked = PolicyHooks(chosen, cluster.said.append)
    heard, before = Broadcast(cluster.journal, None, [asked]), len(server.heard)
    idle: list[float] = []
    world = World(cluster, cluster, heard, cluster.now, idle.append, print, asked)
    assert Runner(chosen, POLICY, world).run() is Exit.PROMOTED
    (told,) = server.heard[before:]
    assert (told["hook"], told["verdict"]) == ("post", "promoted")
    assert (told["canary"], told["target"]) == ("r-00002", "default.intent")
    assert cluster.said[-1] == "hook post says yes: ask me"
