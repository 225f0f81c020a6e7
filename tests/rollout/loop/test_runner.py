"""The loop: killed at every point it goes on as if nothing had happened."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from scripts.rollout.errors import (
    Exit,
    Forbidden,
    Gone,
    JournalError,
    NotFound,
    PolicyError,
    RolloutError,
    Unreachable,
)
from scripts.rollout.journal import file, replay
from scripts.rollout.loop.runner import Runner
from scripts.rollout.loop.world import World
from scripts.rollout.policy.reader import parse
from scripts.rollout.report.summary import summary
from scripts.rollout.state.actions import Request, Warmed, WarmUp
from scripts.rollout.state.observation import View
from scripts.rollout.state.state import SCHEMA, Pause, Phase
from tests.support.folder_world import FolderWorld
from tests.support.worlds import CANARY, POLICY, STABLE, view


def _killed_at(point: int, folder: Path, bad: float) -> bool:
    """Run in a process of its own that SIGKILLs itself at a point; whether it did."""
    child = os.fork()
    if child == 0:
        try:
            _run_until(point, FolderWorld(folder, bad))
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def _run_until(point: int, cluster: FolderWorld) -> None:
    points = count()

    def mortal(call: Callable[..., Any], *, after: bool = False) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            if next(points) == point:
                os.kill(os.getpid(), signal.SIGKILL)
            found = call(*args, **kwargs)
            if after and next(points) == point:
                os.kill(os.getpid(), signal.SIGKILL)
            return found

        return wrapped

    for name in ("observe", "ask", "warm_up"):
        setattr(cluster, name, mortal(getattr(cluster, name), after=True))
    setattr(file, "_sync", mortal(file._sync, after=True))  # noqa: B010
    book = cluster.journal
    setattr(book, "_append", mortal(book._append, after=True))  # noqa: B010
    cluster.runner().run()


@pytest.mark.timeout(400)  # fsync, some thousand times
@pytest.mark.parametrize("bad", [0.0, 0.3], ids=["promoted", "rolled back"])
def test_killed_at_every_point_it_decides_and_does_the_same(
    bad: float, tmp_path: Path
) -> None:
    """Before and after each read, write, sync and act; then once more to the end."""
    (tmp_path / "whole").mkdir()
    whole = FolderWorld(tmp_path / "whole", bad)
    code = whole.runner().run()
    expected = whole.lines()
    for point in count():
        folder = tmp_path / str(point)
        folder.mkdir()
        if not _killed_at(point, folder, bad):
            break
        again = FolderWorld(folder, bad)
        assert again.runner().run() is code
        assert again.lines() == expected, f"killed at point {point}"
    assert point > 60


def test_a_rollout_ends_promoted_and_says_so_again(tmp_path: Path) -> None:
    cluster = FolderWorld(tmp_path)
    assert cluster.runner().run() is Exit.PROMOTED
    assert cluster.runner().run() is Exit.PROMOTED
    assert "Promoted before" in cluster.said[-1]


def test_state_is_written_before_the_act_and_the_act_read_back(tmp_path: Path) -> None:
    cluster = FolderWorld(tmp_path)
    acted: list[tuple[str, int | None]] = []
    ask = cluster.ask

    def ask_for(percent: int | None) -> None:
        saved = cluster.journal.load()
        assert saved is not None
        wanted = 100 if percent is None else percent
        assert saved.state.weight == wanted
        acted.append((saved.kind, percent))
        ask(percent)

    cluster.ask = ask_for  # type: ignore[method-assign]
    cluster.runner().run()
    assert acted == [("look", p) for p in (5, 25, 50, 95, None)]
    acts = [each for each in cluster.lines() if each["kind"] == "act"]
    assert [each["routed"]["r-00002"] for each in acts[1:]] == [5, 25, 50, 95, 100]


def test_an_api_that_fails_delays_and_does_not_end_it(tmp_path: Path) -> None:
    cluster = FolderWorld(tmp_path)
    ask, failures = cluster.ask, iter([True, False, True, True])

    def ask_for(percent: int | None) -> None:
        if next(failures, False):
            raise Unreachable("the API is away")
        ask(percent)

    cluster.ask = ask_for  # type: ignore[method-assign]
    assert cluster.runner().run() is Exit.PROMOTED
    assert "5 % could not be asked for: the API is away" in cluster.said


def test_a_changed_policy_is_refused_while_its_rollout_goes_on(tmp_path: Path) -> None:
    cluster = FolderWorld(tmp_path)
    assert cluster.runner().run(once=True) is Exit.HELD
    other = cluster.runner()
    other._text = "target: {inferenceservice: intent}"
    with pytest.raises(PolicyError, match="the policy was changed"):
        other.run()


def test_a_state_of_another_version_is_refused_with_its_number(tmp_path: Path) -> None:
    cluster = FolderWorld(tmp_path)
    cluster.runner().run(once=True)
    path = cluster.journal.folder / "state.json"
    path.write_text(path.read_text().replace(f'"schema": {SCHEMA}', '"schema": 7'))
    with pytest.raises(JournalError, match=f"schema 7, this one knows 1 to {SCHEMA}"):
        cluster.runner().run()


def test_requests_reach_a_running_rollout_once(tmp_path: Path) -> None:
    cluster = FolderWorld(tmp_path)
    cluster.runner().run(once=True)
    cluster.journal.ask(Request("pause", "lunch"))
    cluster.runner().run(once=True)
    cluster.runner().run(once=True)
    assert cluster.said.count("paused by a person: lunch") == 1
    cluster.journal.ask(Request("abort"))
    assert cluster.runner().run() is Exit.ABORTED


def test_requests_of_an_earlier_rollout_are_not_read_by_the_next(
    tmp_path: Path,
) -> None:
    cluster = FolderWorld(tmp_path)
    cluster.journal.ask(Request("abort", "somebody, some day"))
    assert cluster.runner().run() is Exit.PROMOTED


def test_a_newer_canary_begins_a_new_rollout_in_the_same_chain(tmp_path: Path) -> None:
    cluster = FolderWorld(tmp_path, bad=0.3)
    assert cluster.runner().run() is Exit.ROLLED_BACK

    def observe() -> View:
        return view(0, created="r-00003", ready="r-00003")

    cluster.observe = observe  # type: ignore[method-assign]
    second = cluster.runner()
    assert second.start() is None
    assert second.saved.state.canary == "r-00003"
    begins = [each for each in cluster.lines() if each["kind"] == "begin"]
    assert len(begins) == 2


def test_a_canary_that_becomes_known_goes_on_by_its_name_and_all_else_stays(
    tmp_path: Path,
) -> None:
    cluster = FolderWorld(tmp_path)
    known = cluster.observe
    cluster.observe = lambda: view(0, created="v2", ready=STABLE)  # type: ignore[method-assign]
    cluster.runner().run(once=True)
    cluster.journal.ask(Request("pause", "somebody, some day"))
    cluster.runner().run(once=True)
    cluster.observe = lambda: replace(known(), formerly={CANARY: "v2"})  # type: ignore[method-assign]
    again = cluster.runner()
    for _ in range(5):
        assert again.run(once=True) is Exit.HELD
    state = again.saved.state
    assert (state.canary, state.pause, state.weight) == (CANARY, Pause.PERSON, 0)
    cluster.journal.ask(Request("resume", "somebody, some day"))
    assert again.run() is Exit.PROMOTED
    begins = [each for each in cluster.lines() if each["kind"] == "begin"]
    assert [each["state"]["canary"] for each in begins] == ["v2", CANARY]
    lines = cluster.journal.path.read_text().splitlines()
    assert replay.journal(lines, None).code is Exit.PROMOTED


def test_what_was_taken_back_is_not_begun_again_and_the_line_says_how_it_is_tried(
    tmp_path: Path,
) -> None:
    cluster = FolderWorld(tmp_path, bad=0.3)
    assert cluster.runner().run() is Exit.ROLLED_BACK
    assert cluster.runner().run() is Exit.ROLLED_BACK
    assert cluster.said[-1].startswith("RolledBack before: errors: 30.00%")
    assert "to try the version of r-00002 again, change anything" in cluster.said[-1]


def test_a_stable_that_was_taken_back_before_is_warned_of_with_the_way_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = FolderWorld(tmp_path, bad=0.3)
    cluster.runner().run()
    newer = {"created": "r-00003", "ready": "r-00003", "previous": "r-00002"}
    trapped = view(0, rolledout="r-00002", **newer)
    monkeypatch.setattr(cluster, "observe", lambda: trapped)
    monkeypatch.setattr(cluster, "read", _raise(Unreachable("not yet")))
    cluster.runner().start()
    (said,) = [each for each in cluster.said if each.startswith("WARNING: ")]
    assert "the stable is r-00002, which was RolledBack before (errors: " in said
    assert "the way back to r-00001: apply its version once more" in said


def test_a_version_that_was_rolled_out_over_it_is_no_canary_and_0_percent_no_way_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = FolderWorld(tmp_path, bad=0.3)
    cluster.runner().run()
    newer = {"created": "r-00003", "ready": "r-00003", "rolledout": "r-00003"}
    trapped = view(None, previous="r-00002", **newer)
    monkeypatch.setattr(cluster, "observe", lambda: trapped)
    with pytest.raises(RolloutError, match="no canary beside r-00003") as found:
        cluster.runner().run()
    assert "0 percent would give everything to r-00002" in str(found.value)


def _raise(error: RolloutError) -> Callable[..., Any]:
    def raised(*_: object) -> Any:
        raise error

    return raised


def test_once_says_when_nothing_could_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = FolderWorld(tmp_path)
    monkeypatch.setattr(cluster, "read", _raise(Unreachable("2 pages: HTTP 503")))
    assert cluster.runner().run(once=True) is Exit.UNREACHABLE
    assert cluster.said[-1] == "2 pages: HTTP 503"
    (tmp_path / "new").mkdir()
    blind = FolderWorld(tmp_path / "new")
    monkeypatch.setattr(blind, "observe", _raise(Unreachable("no API server")))
    with pytest.raises(Unreachable, match="no API server"):
        blind.runner().run()


def test_a_rehearsal_writes_and_does_nothing(tmp_path: Path) -> None:
    cluster = FolderWorld(tmp_path)
    decision = cluster.runner().rehearse()
    assert decision.state.phase is Phase.PREFLIGHT
    assert not cluster.journal.folder.exists()
    assert cluster.observe() == view(0)


def test_a_percent_that_came_back_after_the_promotion_is_refused(
    tmp_path: Path,
) -> None:
    cluster = FolderWorld(tmp_path)
    assert cluster.runner().run() is Exit.PROMOTED
    cluster.set_weight(10)
    with pytest.raises(RolloutError, match="undone by hand"):
        cluster.runner().run()


def test_a_warm_up_that_could_not_be_sent_is_sent_again(tmp_path: Path) -> None:
    class Away(FolderWorld):
        times = 0

        def warm_up(self, asked: WarmUp) -> Warmed:
            self.times += 1
            if self.times == 1:
                raise Unreachable("no API server")
            return super().warm_up(asked)

    cluster = Away(tmp_path)
    assert cluster.runner().run() is Exit.PROMOTED
    assert "no warm-up: no API server" in cluster.said
    assert cluster.times == 2


NO_PODS = Forbidden(403, "GET /pods: pods is forbidden")


def test_a_right_that_is_missing_at_the_start_ends_it_with_the_apis_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = FolderWorld(tmp_path)
    monkeypatch.setattr(cluster, "observe", _raise(NO_PODS))
    with pytest.raises(Forbidden, match="pods is forbidden") as found:
        cluster.runner().run()
    assert found.value.code is Exit.UNREACHABLE
    assert not cluster.journal.folder.exists()


@pytest.mark.parametrize("blind", ["observe", "read"])
def test_a_right_that_is_taken_away_is_said_once_and_waited_for(
    blind: str, tmp_path: Path
) -> None:
    cluster = FolderWorld(tmp_path)
    cluster.runner().run(once=True)
    granted, looks = getattr(cluster, blind), count()

    def forbidden(*args: object) -> object:
        if next(looks) < 30:
            raise NO_PODS
        return granted(*args)

    setattr(cluster, blind, forbidden)
    assert cluster.runner().run() is Exit.PROMOTED
    assert cluster.said.count(str(NO_PODS)) == 1
    silent = [said for said in cluster.said if said.startswith("no metrics for")]
    assert len(silent) == (blind == "read")
    assert all("traffic is held at " in said for said in silent)


def test_what_is_deleted_meanwhile_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = FolderWorld(tmp_path)
    cluster.runner().run(once=True)
    monkeypatch.setattr(cluster, "observe", _raise(NotFound(404, "intent not found")))
    assert cluster.runner().run() is Exit.GONE
    assert cluster.said[-1] == "the target was deleted: intent not found"


@pytest.mark.parametrize(
    ("view", "said"),
    [
        (None, "the journal was deleted, and InferenceService default.intent was not:"),
        (
            NotFound(404, "intent not found"),
            "InferenceService default.intent was deleted: r-00002 has no traffic left",
        ),
    ],
    ids=["the journal alone", "the target"],
)
def test_what_was_deleted_is_named_with_the_traffic_that_it_left(
    view: NotFound | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = FolderWorld(tmp_path)
    while cluster.observe().percent != 5:
        cluster.runner().run(once=True)
    gone = NotFound(404, "configmaps intent-rollout not found")
    monkeypatch.setattr(cluster.journal, "commit", _raise(gone))
    runner = cluster.runner()
    if view is not None:
        monkeypatch.setattr(cluster, "observe", _raise(view))
    with pytest.raises(Gone, match=said) as found:
        runner.run()
    assert found.value.code is Exit.GONE
    if view is None:
        assert "r-00002 keeps 5 %, and nobody watches it" in str(found.value)


def test_a_journal_that_may_not_be_written_is_waited_for(tmp_path: Path) -> None:
    cluster = FolderWorld(tmp_path)
    while cluster.observe().percent != 5:
        cluster.runner().run(once=True)
    no = Forbidden(403, "PATCH /configmaps: forbidden")
    write, slept = cluster.journal.commit, count()

    def commit(*args: Any) -> Any:
        if next(slept) < 300:
            raise no
        return write(*args)

    setattr(cluster.journal, "commit", commit)  # noqa: B010
    assert cluster.runner().run() is Exit.PROMOTED
    told = f"waiting for the journal, traffic stays at 5 %: {no}"
    assert cluster.said.count(told) == 1


def test_an_interrupted_run_says_what_traffic_it_leaves(tmp_path: Path) -> None:
    cluster = FolderWorld(tmp_path)
    while cluster.observe().percent != 5:
        cluster.runner().run(once=True)

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="traffic stays at 5 %; run goes on"):
        cluster.runner(interrupt).run()


def test_a_journal_that_may_not_be_begun_ends_it_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = FolderWorld(tmp_path)
    no = Forbidden(403, "POST /configmaps: forbidden")
    monkeypatch.setattr(cluster.journal, "commit", _raise(no))
    slept: list[float] = []
    with pytest.raises(Forbidden, match="POST /configmaps"):
        cluster.runner(slept.append).run()
    assert slept == []


def _objective(folder: Path, slo: str) -> tuple[FolderWorld, Runner]:
    """A promoter of a policy with this objective; every histogram ends at 250 ms."""
    cluster = FolderWorld(folder)
    chosen = POLICY.replace("slo: 250ms", f"slo: {slo}")
    world = World(
        cluster,
        cluster,
        cluster.journal,
        cluster.now,
        lambda _: None,
        cluster.said.append,
    )
    return cluster, Runner(parse(chosen, "test"), chosen, world)


def test_an_objective_that_no_edge_can_judge_is_refused_before_a_rollout_begins(
    tmp_path: Path,
) -> None:
    cluster, runner = _objective(tmp_path, "100ms")
    with pytest.raises(PolicyError, match=r"^metrics\[1\].slo: 100ms is below every"):
        runner.start()
    assert cluster.journal.load() is None
    with pytest.raises(PolicyError, match=r"edges: 250ms$"):
        runner.rehearse()


def test_an_objective_between_edges_is_said_once_and_by_explain(tmp_path: Path) -> None:
    cluster, runner = _objective(tmp_path, "300ms")
    for _ in range(4):
        runner.run(once=True)
    said = "metrics[1].slo: 300ms is judged at 250ms, the nearest edge at or under it"
    assert sum(each.startswith(said) for each in cluster.said) == 1
    saved = cluster.journal.load()
    assert saved is not None
    (doubt,) = summary(parse(saved.policy, "test"), saved)["doubts"]
    assert doubt == f"{said}; edges: 250ms"
