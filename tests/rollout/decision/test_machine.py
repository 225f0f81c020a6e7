"""The rollout as a pure function: what it may never do, and what each look leads to."""

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from scripts.rollout.decision.machine import begin
from scripts.rollout.errors import Exit, RolloutError
from scripts.rollout.state.actions import SetPercent, Warmed, WarmUp
from scripts.rollout.state.notes import Note, NoteKind
from scripts.rollout.state.observation import Delta, Replicas, View
from scripts.rollout.state.state import TERMINAL, Pause, Phase, State
from tests.support.worlds import CANARY, STABLE, Rollout, delta, policy, view


def _at(phase: Phase, weight: int | None = None, **changes: str) -> Rollout:
    rollout = Rollout.begun(policy(**changes))
    rollout.until(phase, weight)
    return rollout


class AnyRollout(RuleBasedStateMachine):
    """Whatever happens, in whatever order."""

    @initialize(auto=st.booleans(), inconclusive=st.sampled_from(("pause", "rollback")))
    def begin(self, auto: bool, inconclusive: str) -> None:
        """A rollout of fixed or automatic steps."""
        steps = "auto" if auto else "[5, 25, 50]"
        self.rollout = Rollout.begun(policy(steps=steps, onInconclusive=inconclusive))
        self.was_aborted = self.was_forced = False

    def _look(self, *requests: str, is_ready: bool = True, **changes: object) -> None:
        before = self.rollout.state
        decision = self.rollout.look(*requests, **changes)  # type: ignore[arg-type]
        self._check(before, decision.state, is_ready)

    def _check(self, before: State, after: State, is_ready: bool) -> None:
        is_raise = after.weight > before.weight and after.pause is not Pause.HAND
        if is_raise:
            assert is_ready
            assert not before.is_over
            assert self.was_forced or self._passed(before, after)
        if before.is_over:
            assert after == before

    def _passed(self, before: State, after: State) -> bool:
        """Whether every gate up to the new weight is open, or the bake is over."""
        is_resumed_anew = before.pause is Pause.HAND and after.step == 0
        if before.phase in (Phase.WARMUP, Phase.PREFLIGHT) or is_resumed_anew:
            return after.weight == after.steps[0]
        if before.phase is Phase.BAKE:
            waited = after.now - before.entered
            return waited >= self.rollout.policy.bake.duration
        assert after.judged is not None
        opens = after.judged.evidence.opens(
            self.rollout.machine.rules.design(after.steps)
        )
        end = after.step if after.phase is Phase.STEP else len(opens)
        return bool(opens[before.step : end].all())

    @rule(n=st.sampled_from((0, 10, 3000)), bad=st.sampled_from((0.0, 0.0, 0.005, 0.5)))
    def a_scrape(self, n: int, bad: float) -> None:
        """Requests, some bad."""
        self._look(n=n, bad=bad)

    @rule(looks=st.integers(1, 8))
    def good_traffic(self, looks: int) -> None:
        """What lets a rollout get far."""
        for _ in range(looks):
            self._look()

    @rule(seconds=st.sampled_from((-50.0, 0.0, 90.0, 4000.0)))
    def time_passes(self, seconds: float) -> None:
        """Also backwards."""
        self._look(seconds=seconds)

    @rule()
    def no_metrics(self) -> None:
        """Nothing counts."""
        self._look(delta=None)

    @rule()
    def no_api(self) -> None:
        """Nothing can be read."""
        self._look(view=None, is_ready=False)

    @rule()
    def not_ready(self) -> None:
        """The canary's pods are gone."""
        gone = view(self.rollout.percent, replicas={CANARY: Replicas(0)})
        self._look(view=gone, is_ready=False)

    @rule()
    def slow_to_route(self) -> None:
        """What was asked for is not in force."""
        routed = view(self.rollout.percent, routed={STABLE: 100})
        self._look(view=routed)

    @rule(percent=st.sampled_from((0, 3, 30, 80)))
    def a_hand(self, percent: int) -> None:
        """A person patches the percent."""
        if not self.rollout.state.is_over and self.rollout.percent is not None:
            self.rollout.percent = percent
        self._look()

    @rule(verb=st.sampled_from(("pause", "resume", "approve", "resume")))
    def a_person(self, verb: str) -> None:
        """Asks for something harmless."""
        self._look(verb)

    @rule(verb=st.sampled_from(("promote", "promote-full")))
    def a_daring_person(self, verb: str) -> None:
        """Wants no evidence."""
        self.was_forced = True
        self._look(verb)

    @precondition(lambda self: not self.rollout.state.is_over)
    @rule()
    def an_abort(self) -> None:
        """Wins always."""
        self.was_aborted = True
        self._look("abort")
        assert self.rollout.state.phase in (Phase.ROLLING_BACK, Phase.ABORTED)

    @rule()
    def a_newer_revision(self) -> None:
        """Somebody applies a third version."""
        self._look(view=view(self.rollout.percent, created="r-00003"))

    @invariant()
    def only_the_pinned_revision_is_promoted(self) -> None:
        """And never after an abort."""
        state = self.rollout.state
        assert (state.canary, state.stable) == (CANARY, STABLE)
        if self.was_aborted:
            assert state.phase is not Phase.PROMOTED
            assert state.weight == 0

    @invariant()
    def a_verdict_fits_its_phase(self) -> None:
        """Terminal states have one, and the right one."""
        state = self.rollout.state
        if state.phase in TERMINAL:
            assert state.verdict is not None
        if state.verdict is Exit.PROMOTED:
            assert state.phase is Phase.PROMOTED


AnyRollout.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None
)
TestAnyRollout = AnyRollout.TestCase


def test_a_good_canary_is_promoted_step_by_step() -> None:
    rollout, weights = Rollout.begun(), [0]
    while not rollout.state.is_over:
        weight = rollout.look().state.weight
        if weight != weights[-1]:
            weights.append(weight)
    assert weights == [0, 5, 25, 50, 95, 100]
    assert rollout.state.verdict is Exit.PROMOTED


def test_warm_up_comes_before_the_first_percent_and_is_no_evidence() -> None:
    rollout = Rollout.begun()
    assert rollout.look().actions == (WarmUp(3, 0.25),)
    decision = rollout.look()
    assert decision.actions == (SetPercent(5),)
    told = "3 warm-up requests to 1 pod, 0 failed, 0 slow, settled after 10s"
    assert Note(NoteKind.WARMED_UP, told) in decision.notes
    judged = decision.state.judged
    assert judged is not None
    assert float(judged.evidence.gates.canary_n.sum()) == 0


def test_a_canary_that_fails_its_whole_warm_up_never_meets_a_user() -> None:
    rollout = Rollout.begun()
    rollout.look()
    rollout.warmed = Warmed(3, 3)
    assert rollout.look().state.code is Exit.GUARD
    assert rollout.percent == 0


def test_a_bad_canary_goes_to_zero_and_says_why() -> None:
    rollout = _at(Phase.STEP, 5)
    decision = rollout.look(bad=0.5)
    assert decision.actions == (SetPercent(0),)
    assert decision.notes[0].text.startswith("errors: 50.00% against 0.00%")
    assert rollout.look().state.phase is Phase.ROLLED_BACK
    assert rollout.state.verdict is Exit.ROLLED_BACK


def test_a_rollback_counts_when_it_is_seen_in_force() -> None:
    rollout = _at(Phase.STEP, 5)
    rollout.look(bad=0.5)
    lagging = view(0, routed={CANARY: 5, STABLE: 95})
    assert rollout.look(view=lagging).state.phase is Phase.ROLLING_BACK
    assert rollout.look(view=None).actions == (SetPercent(0),)
    assert rollout.look().state.phase is Phase.ROLLED_BACK


def test_a_rollback_that_never_takes_ends_with_50_and_what_was_seen() -> None:
    rollout = _at(Phase.STEP, 5)
    rollout.look("abort")
    lagging = view(0, routed={CANARY: 5, STABLE: 95})
    decision = rollout.look(view=lagging, seconds=100)
    assert decision.state.verdict is Exit.UNVERIFIED
    note = decision.notes[-1]
    assert note.kind is NoteKind.ROLLBACK_UNVERIFIED
    assert "r-00002 5 %" in note.text
    assert rollout.look(view=lagging).state.verdict is None


def test_both_arms_failing_alike_is_no_reason() -> None:
    rollout = _at(Phase.STEP, 5)
    for _ in range(20):
        both = delta(5, bad=0.1)
        errors = (15, 150, 285, 2850)
        both = replace(both, metrics={**both.metrics, "errors": errors})
        rollout.look(delta=both)
    assert rollout.state.phase is Phase.STEP


def test_no_requests_is_no_evidence_and_ends_held() -> None:
    rollout = _at(Phase.STEP, 5)
    for _ in range(70):
        rollout.look(n=0)
        if rollout.state.verdict is not None:
            break
    assert rollout.state.verdict is Exit.HELD
    assert "no requests" in rollout.state.reason
    assert (rollout.percent, rollout.state.weight) == (5, 5)


def test_a_gate_that_opens_after_the_rollouts_deadline_is_too_late() -> None:
    rollout = _at(Phase.STEP, 5)
    rollout.look()
    rollout.look(seconds=7300)
    assert (rollout.state.verdict, rollout.state.weight) == (Exit.HELD, 5)


def test_held_goes_on_after_resume_with_its_evidence() -> None:
    rollout = _at(Phase.STEP, 5)
    rollout.look(seconds=5000, n=0)
    assert rollout.look().state.verdict is Exit.HELD
    rollout.look("resume")
    rollout.until(Phase.PROMOTED)


def test_held_still_rolls_back_when_evidence_comes() -> None:
    rollout = _at(Phase.STEP, 5)
    rollout.look(seconds=5000, n=0)
    assert rollout.look(bad=0.5).state.phase is Phase.ROLLING_BACK


def test_inconclusive_may_mean_rollback() -> None:
    rollout = _at(Phase.STEP, 5, onInconclusive="rollback")
    rollout.look(seconds=5000, n=0)
    assert rollout.state.code is Exit.GUARD


def test_silence_holds_traffic_and_is_said() -> None:
    rollout = _at(Phase.STEP, 5)
    rollout.look(seconds=100, delta=None)
    decision = rollout.look(seconds=100, delta=None)
    (note,) = decision.notes
    assert note.kind is NoteKind.NO_METRICS
    assert "traffic is held at 5 %" in note.text
    assert rollout.look(seconds=500, delta=None).state.verdict is Exit.UNREACHABLE


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"replicas": {CANARY: Replicas(1, restarts=3)}}, "3 restarts, 2 are allowed"),
        ({"failure": "BackOff"}, "r-00002 failed: BackOff"),
    ],
)
def test_guards_need_no_comparison(changes: dict[str, object], said: str) -> None:
    rollout = _at(Phase.STEP, 25)
    rollout.look(view=view(25, **changes))
    assert rollout.state.code is Exit.GUARD
    assert said in rollout.state.reason


def test_not_ready_is_waited_for_until_a_timeout() -> None:
    rollout = Rollout.begun()
    gone = view(0, ready=STABLE, replicas={STABLE: Replicas(1)})
    assert rollout.look(view=gone, seconds=300).state.phase is Phase.WARMUP
    rollout.look(view=gone, seconds=301)
    assert "is not ready for 10m01s" in rollout.state.reason


def test_a_percent_by_hand_is_held_and_resumed_not_fought() -> None:
    rollout = _at(Phase.STEP, 25)
    rollout.look()
    rollout.percent = 80
    decision = rollout.look()
    assert decision.notes[0].kind is NoteKind.CHANGED_BY_HAND
    assert "changed by hand from 25 to 80" in decision.notes[0].text
    for _ in range(10):
        assert rollout.look().actions == ()
    assert rollout.percent == 80
    rollout.look("resume")
    assert rollout.percent == 25
    rollout.until(Phase.PROMOTED)


def test_a_hand_below_what_the_evidence_has_reached_is_where_it_goes_on() -> None:
    rollout = _at(Phase.BAKE)
    rollout.look()
    rollout.percent = 33
    rollout.look()
    decision = rollout.look("resume")
    assert [note.text for note in decision.notes] == ["resumed at 33 %"]
    assert rollout.percent == 33
    rollout.until(Phase.PROMOTED)


def test_evidence_goes_on_under_a_hand() -> None:
    rollout = _at(Phase.STEP, 25)
    rollout.look()
    rollout.percent = 10
    rollout.look()
    assert rollout.look(bad=0.5).state.phase is Phase.ROLLING_BACK


def test_a_hand_that_removes_the_field_has_promoted() -> None:
    rollout = _at(Phase.STEP, 25)
    rollout.look()
    rollout.percent = None
    decision = rollout.look()
    assert decision.state.verdict is Exit.PROMOTED
    assert [note.kind for note in decision.notes] == [NoteKind.PROMOTED_BY_HAND]
    assert "by a person's patch" in rollout.state.reason


def test_a_newer_revision_supersedes_with_weight_zero() -> None:
    rollout = _at(Phase.STEP, 25)
    decision = rollout.look(view=view(25, created="r-00003"))
    assert decision.actions == (SetPercent(0),)
    newer = view(0, created="r-00003", routed={STABLE: 100, CANARY: 0})
    assert rollout.look(view=newer).state.verdict is Exit.SUPERSEDED


def test_an_approval_is_waited_for_with_the_rollback_armed() -> None:
    rollout = _at(Phase.STEP, 25, pauseAt="[25]")
    for _ in range(30):
        rollout.look()
    assert rollout.state.pause is Pause.APPROVAL
    assert rollout.state.weight == 25
    rollout.look("approve")
    rollout.until(Phase.PROMOTED)
    waiting = _at(Phase.STEP, 25, pauseAt="[25]")
    waiting.look()
    assert waiting.look(bad=0.5).state.phase is Phase.ROLLING_BACK


def test_abort_wins_while_paused() -> None:
    rollout = _at(Phase.STEP, 25)
    rollout.look("pause")
    assert rollout.look().state.pause is Pause.PERSON
    rollout.look("abort")
    assert rollout.look().state.verdict is Exit.ABORTED


def test_promote_by_hand_skips_evidence_one_step_or_all() -> None:
    rollout = _at(Phase.STEP, 5)
    rollout.look(n=0)
    rollout.look("promote", n=0)
    assert rollout.state.weight == 25
    rollout.look("promote-full", n=0)
    rollout.look(n=0)
    rollout.look(n=0)
    assert rollout.state.phase is Phase.PROMOTED


def test_promote_full_needs_no_traffic_but_a_ready_canary() -> None:
    rollout = Rollout.begun()
    rollout.look(n=0)
    gone = view(0, ready=STABLE, replicas={STABLE: Replicas(1)})
    rollout.look("promote-full", n=0, view=gone)
    assert rollout.state.phase is Phase.PREFLIGHT
    rollout.look(n=0)
    assert rollout.look(n=0).state.phase is Phase.PROMOTED


def test_too_few_replicas_hold_the_raise() -> None:
    rollout = _at(Phase.STEP, 5, guards="{maxLoad: 0.2}")
    for _ in range(10):
        decision = rollout.look()
    assert rollout.state.weight == 5
    note = decision.notes[-1]
    assert note.kind is NoteKind.TOO_FEW_REPLICAS
    assert "needs 2 ready replicas of the canary, there are 1" in note.text


def test_automatic_steps_are_chosen_from_the_traffic_and_may_be_skipped() -> None:
    rollout = _at(Phase.STEP, steps="auto")
    assert rollout.state.steps[-1] == 50
    assert rollout.state.weight == rollout.state.steps[0]
    visited = []
    while rollout.state.phase is Phase.STEP:
        visited.append(rollout.look().state.weight)
    assert len(set(visited)) < len(rollout.state.steps)


def test_dispersion_is_learned_before_the_first_step_or_said_to_be_assumed() -> None:
    rollout = Rollout.begun(policy(dependence="{scrapes: 5}"))
    some = delta(0, n=1000)
    stable = {"errors": some.row("errors"), "latency": (0.0, 0.0, 10.0, 1000.0)}
    for _ in range(4):
        rollout.look(delta=replace(some, metrics=stable))
        assert rollout.state.phase is Phase.PREFLIGHT
    last = rollout.look(delta=replace(some, metrics=stable))
    notes = [note.text for note in last.notes]
    assert "errors: outcomes in clusters of 4 (assumed, only 0 outcomes" in notes[0]
    assert "latency: outcomes in clusters of 1 (5 scrapes" in notes[1]
    assert "labels: outcomes in clusters of 1 (5 scrapes" in notes[2]


def test_a_canary_that_is_scaled_to_zero_is_warmed_up_and_not_missed() -> None:
    asleep = view(0, is_idle=True, replicas={STABLE: Replicas(1)})
    assert WarmUp(3, 0.25) in Rollout.begun().look(view=asleep).actions
    gone = replace(asleep, is_idle=False)
    assert WarmUp(3, 0.25) not in Rollout.begun().look(view=gone).actions


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (view(0, rolledout=""), "no revision is rolled out yet"),
        (view(0, created=STABLE), "no canary beside r-00001"),
        (view(10, danger="what the backend knows"), "intent: what the backend knows"),
    ],
)
def test_nothing_begins_from_a_state_that_is_not_safe(seen: View, said: str) -> None:
    with pytest.raises(RolloutError, match=said):
        begin(policy(), seen, 0.0)


@pytest.mark.parametrize("ready", [STABLE, CANARY])
def test_a_canary_that_is_not_ready_is_safe_at_0(ready: str) -> None:
    pending = view(0, created="r-00003", ready=ready, previous=STABLE)
    assert begin(policy(), pending, 0.0).canary == "r-00003"


def test_a_canary_applied_with_a_percent_is_set_to_zero_first() -> None:
    rollout = Rollout.begun()
    rollout.percent = 10
    assert SetPercent(0) in rollout.look().actions


def test_terminal_states_are_never_left() -> None:
    rollout = _at(Phase.PROMOTED)
    before = rollout.state
    for request in ("abort", "resume", "promote-full"):
        assert rollout.look(request, bad=0.9).state is before


def test_what_is_no_data_is_said_once_and_changes_nothing_else() -> None:
    rollout, plain = _at(Phase.STEP), _at(Phase.STEP)
    doubt = "own: no data: NaN or Inf, from bad"
    first = rollout.look(doubts=(doubt,))
    assert [note.text for note in first.notes].count(doubt) == 1
    assert doubt not in [note.text for note in rollout.look(doubts=(doubt,)).notes]
    plain.look()
    plain.look()
    assert rollout.state.weight == plain.state.weight
    assert rollout.state.heard == plain.state.heard


def test_a_rate_is_a_delta_over_its_own_time() -> None:
    rollout = _at(Phase.STEP)
    gap = replace(delta(5, n=30_000), seconds=600.0)
    rollout.look(delta=gap, seconds=10)
    assert rollout.state.rps == 50
    rollout.look(delta=Delta({}, is_carried=True))
    assert rollout.state.rps == 50


def test_steps_are_chosen_for_a_rate_over_the_time_of_its_requests() -> None:
    rollout = Rollout.begun(policy(steps="auto", dependence="{scrapes: 2}"))
    gap = replace(delta(0, n=15 * 600), seconds=600.0)
    rollout.look(delta=gap)
    said = rollout.look(delta=replace(delta(0, n=150), seconds=10.0)).notes
    assert "steps chosen for 15.0 requests/s" in said[0].text


def test_arms_that_are_never_read_alike_are_silence_and_that_is_said() -> None:
    rollout = _at(Phase.STEP)
    apart = Delta({}, apart_s=22.0, is_carried=True)
    for _ in range(6):
        assert not rollout.look(delta=apart).notes
    (note,) = rollout.look(delta=apart).notes
    assert note.kind is NoteKind.NO_METRICS
    assert note.text == (
        "the arms are read 22s apart, nothing to compare for 1m10s: "
        "traffic is held at 5 %"
    )
