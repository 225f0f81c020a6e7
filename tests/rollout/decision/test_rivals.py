"""A GitOps controller that writes Git's percent over the rollout's."""

from dataclasses import replace

from scripts.rollout.errors import Exit
from scripts.rollout.state.actions import SetPercent
from scripts.rollout.state.notes import NoteKind
from scripts.rollout.state.observation import View
from scripts.rollout.state.state import Pause, Phase
from tests.support.worlds import Rollout, view


def _written(percent: int, writer: str, second: int) -> View:
    written = f"2026-01-01T12:03:{second:02}Z"
    return replace(view(percent), writer=writer, written=written)


def _at(weight: int) -> Rollout:
    rollout = Rollout.begun()
    rollout.until(Phase.STEP, weight)
    rollout.look()
    return rollout


def test_a_controllers_write_is_named_counted_and_set_right_without_a_person() -> None:
    rollout = _at(25)
    decision = rollout.look(view=_written(10, "argocd-controller", 7))
    (note,) = decision.notes
    assert note.kind is NoteKind.REWRITTEN
    assert note.text.startswith("argocd-controller put 10 back at 12:03:07: 25 is set")
    assert SetPercent(25) in decision.actions
    assert (rollout.state.rival_writes, rollout.state.pause) == (1, Pause.NONE)
    rollout.until(Phase.PROMOTED)


def test_one_write_is_counted_once_however_often_it_is_seen() -> None:
    rollout = _at(25)
    for _ in range(5):
        rollout.look(view=_written(10, "kustomize-controller", 7))
    assert rollout.state.rival_writes == 1
    assert rollout.state.phase is Phase.STEP


def test_a_write_before_ours_was_in_force_counts_too() -> None:
    rollout = _at(25)
    for second in (7, 9):
        decision = rollout.look(view=_written(10, "argocd-controller", second))
    assert decision.notes[0].text.startswith(
        "argocd-controller put 10 back at 12:03:09, second time"
    )


def test_a_controller_that_does_not_stop_ends_the_rollout_at_the_stable() -> None:
    rollout = _at(25)
    for second in (1, 3, 5):
        rollout.look(view=_written(10, "argocd-controller", second))
        assert rollout.state.phase is Phase.STEP
    rollout.look(view=_written(10, "argocd-controller", 7))
    assert rollout.state.phase is Phase.ROLLING_BACK
    assert rollout.state.weight == 0
    assert "put 10 back at 12:03:07, 4th time; 3 are allowed" in rollout.state.reason
    rollout.until(Phase.ROLLED_BACK)
    assert rollout.state.verdict is Exit.GUARD


def test_what_git_had_before_the_first_weight_is_no_rivals_write() -> None:
    rollout = Rollout.begun()
    rollout.look(view=_written(0, "argocd-controller", 1))
    while rollout.state.weight == 0:
        rollout.look(view=_written(0, "argocd-controller", 1))
    rollout.look(view=_written(0, "argocd-controller", 1))
    assert rollout.state.rival_writes == 0


def test_a_persons_write_is_kept_until_resume() -> None:
    rollout = _at(25)
    rollout.look(view=_written(80, "kubectl-patch", 7))
    assert rollout.state.pause is Pause.HAND
    assert rollout.state.weight == 80
    assert rollout.state.rival_writes == 0


def test_a_controller_that_wrote_the_percent_is_named_before_the_first_weight() -> None:
    rollout = Rollout.begun()
    rollout.state = replace(rollout.state, tick=0)
    decision = rollout.look(view=_written(0, "kustomize-controller", 1))
    (note,) = [each for each in decision.notes if each.kind is NoteKind.SYNCED]
    assert note.text.startswith("kustomize-controller wrote the percent that is set")
    assert "intent-canary gitops" in note.text
    decision = rollout.look(view=_written(0, "kustomize-controller", 1))
    assert NoteKind.SYNCED not in [each.kind for each in decision.notes]
