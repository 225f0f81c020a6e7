"""Hooks: what each answer means, and that a slow one delays nothing."""

from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

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
from tests.support.receiver import received
from tests.support.waiting import until
from tests.support.worlds import POLICY, Rollout, policy

BOTH = "{pre: {command: [x]}, confirm: {command: [x]}}"


def _url(server: HTTPServer, status: int) -> str:
    """Where "ask me" is answered with a status."""
    server.expect_request(f"/{status}").respond_with_data("ask me", status)
    return server.url_for(f"/{status}")


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
def test_what_a_urls_status_means(
    httpserver: HTTPServer, status: int, says: Says
) -> None:
    hook = Hook.model_validate({"url": _url(httpserver, status)})
    assert hooks.ask(hook, {"weight": status}) == (says, "ask me")
    ((request, _),) = httpserver.log
    assert request.get_json() == {"weight": status}


def test_a_url_that_nobody_serves_says_nothing_yet() -> None:
    hook = Hook.model_validate({"url": "http://127.0.0.1:1/"})
    says, reason = hooks.ask(hook, {})
    assert says is Says.NOT_YET
    assert reason.startswith("no answer: ")


def test_the_loop_goes_on_while_a_hook_thinks(tmp_path: Path) -> None:
    """The hook ends when the loop has gone on: a loop that waits gets no yes."""
    script = f"until [ -e {tmp_path}/gone-on ]; do sleep 0.05; done"
    chosen = policy(hooks=f"{{confirm: {{command: [sh, -c, '{script}']}}}}")
    asked = PolicyHooks(chosen, print)
    state, consult = Rollout.begun().state, Consult("confirm", 25)
    asked.ask(consult, state)
    asked.ask(consult, state)
    assert asked.answer() is None
    (tmp_path / "gone-on").touch()
    until(asked.is_ready)
    assert asked.answer() == Answer("confirm", 25, Says.YES, "exit code 0")
    assert asked.answer() is None


def test_a_hook_that_has_just_answered_is_not_asked_at_every_look(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "AGAIN_S", 60.0)
    url = _url(httpserver, 503)
    asked = PolicyHooks(policy(hooks=f"{{pre: {{url: '{url}'}}}}"), print)
    state = Rollout.begun().state
    for weight in (5, 10):  # one after the other: none is open when the next is asked
        asked.ask(Consult("pre", weight), state)
        until(asked.answer)
        for _ in range(20):
            asked.ask(Consult("pre", weight), state)
    monkeypatch.setattr(hooks, "AGAIN_S", 0.0)
    asked.ask(Consult("pre", 10), state)
    until(asked.answer)
    told = [request.get_json()["weight"] for request, _ in httpserver.log]
    assert told == [5, 10, 10]


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


def test_the_end_is_told_to_post_once(tmp_path: Path, httpserver: HTTPServer) -> None:
    chosen = policy(hooks=f'{{post: {{url: "{_url(httpserver, 200)}"}}}}')
    cluster = FolderWorld(tmp_path)
    asked = PolicyHooks(chosen, cluster.said.append)
    heard = Broadcast(cluster.journal, None, [asked])
    idle: list[float] = []
    world = World(cluster, cluster, heard, cluster.now, idle.append, print, asked)
    assert Runner(chosen, POLICY, world).run() is Exit.PROMOTED
    (told,) = received(httpserver)
    assert (told["hook"], told["verdict"]) == ("post", "promoted")
    assert (told["canary"], told["target"]) == ("r-00002", "default.intent")
    assert cluster.said[-1] == "hook post says yes: ask me"
