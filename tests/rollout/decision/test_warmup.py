"""The warm-up goes on until it has settled or its time is over; it is no evidence."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from scripts.rollout.decision.explaining import conditions
from scripts.rollout.errors import Exit, PolicyError
from scripts.rollout.policy.reader import parse
from scripts.rollout.state.actions import SetPercent, Warmed, WarmUp
from scripts.rollout.state.notes import NoteKind
from scripts.rollout.state.observation import Replicas
from scripts.rollout.state.state import Phase
from scripts.rollout.state.warming import Warming
from tests.support.worlds import CANARY, STABLE, Rollout, policy, view

ROUND_S = 0.65  # between two rounds: half a second of waiting, then 20 fast answers
GOOD = Warmed(6, 0, protocols=("v1", "v2"), p50_ms=6.0)


def _round(rollout: Rollout, warmed: Warmed | None) -> tuple[object, ...]:
    rollout.warmed = warmed
    return rollout.look(seconds=ROUND_S).actions


def _told(rollout: Rollout, warmed: Warmed) -> str:
    rollout.warmed = warmed
    notes = rollout.look(seconds=ROUND_S).notes
    return next(note.text for note in notes if note.kind is NoteKind.WARMED_UP)


def test_it_goes_on_until_the_median_falls_no_more() -> None:
    rollout = Rollout.begun()
    asked = [_round(rollout, None)]
    for p50_ms in (41.0, 20.0, 9.0, 6.0, 6.0, 5.5, 6.0):
        warmed = Warmed(6, 0, protocols=("v1", "v2"), p50_ms=p50_ms)
        asked.append(_round(rollout, warmed))
    assert asked == [(WarmUp(3, 0.25),)] * 8
    told = "48 warm-up requests to 1 pod by v1, v2, 0 failed, 0 slow, settled after 5s"
    assert _told(rollout, GOOD) == f"{told}: p50 41.0 -> 6.0 ms"
    assert rollout.state.weight == 5


@pytest.mark.parametrize("odd", [Warmed(6, 1, p50_ms=6.0), Warmed(6, 0, 1, p50_ms=6.0)])
def test_a_failed_or_a_slow_answer_begins_the_quiet_time_anew(odd: Warmed) -> None:
    rollout = Rollout.begun()
    for warmed in (None, GOOD, GOOD, odd, GOOD, GOOD, GOOD):
        assert _round(rollout, warmed) == (WarmUp(3, 0.25),)
    assert _round(rollout, GOOD) == (SetPercent(5),)


def test_it_ends_when_its_time_is_over_and_says_that_nothing_has_settled() -> None:
    rollout = Rollout.begun(policy(warmup="{requests: 3, settle: 3s}"))
    _round(rollout, None)
    for _ in range(4):
        assert _round(rollout, Warmed(6, 2, 1, p50_ms=6.0)) == (WarmUp(3, 0.25),)
    told = _told(rollout, Warmed(6, 2, 1, p50_ms=6.0))
    assert "10 failed, 5 slow, unsettled in 3s" in told
    assert rollout.state.weight == 5


def test_a_round_that_fails_as_a_whole_ends_the_rollout_at_once() -> None:
    rollout = Rollout.begun()
    for warmed in (None, GOOD):
        _round(rollout, warmed)
    _round(rollout, Warmed(6, 6))
    assert rollout.state.code is Exit.GUARD
    assert "all 6 warm-up requests failed" in rollout.state.reason
    said = conditions.told(conditions.of(rollout.policy, rollout.state))
    assert "users did not come before it was warm" in said


def test_where_no_pod_can_be_asked_it_does_not_wait() -> None:
    rollout = Rollout.begun()
    _round(rollout, None)
    assert _round(rollout, Warmed(0, 0)) == (SetPercent(5),)


def test_pods_that_come_later_are_said_to_be_judged_cold() -> None:
    rollout = Rollout.begun()
    rollout.until(Phase.STEP, 5)
    more = view(5, replicas={CANARY: Replicas(3), STABLE: Replicas(1)})
    said = [note for _ in range(2) for note in rollout.look(view=more).notes]
    (told,) = [note.text for note in said if note.kind is NoteKind.SCALED_UP]
    assert told.startswith("r-00002 has 3 pods, 1 before")


Cold = Callable[[np.random.Generator, float], Warmed]


def _slow(seconds: float) -> Cold:
    def found(random: np.random.Generator, now: float) -> Warmed:
        share = 0.2 if now < seconds else 0.0
        return Warmed(40, 0, int(random.binomial(40, share)), p50_ms=6.0)

    return found


def _failing(seconds: float) -> Cold:
    def found(random: np.random.Generator, now: float) -> Warmed:
        share = 0.02 if now < seconds else 0.0
        return Warmed(40, int(random.binomial(40, share)), p50_ms=6.0)

    return found


@pytest.mark.parametrize(
    ("cold", "quiet_s", "settle_s", "seconds"),
    [
        (_slow(10), 2, 60, 10),
        (_slow(60), 2, 60, 60),
        (_failing(60), 20, 90, 60),
    ],
    ids=["20 % slow for 10 s", "20 % slow for 60 s", "2 % fail for 60 s, quiet 20 s"],
)
def test_no_user_meets_a_cold_start_that_the_warm_up_covers(
    cold: Cold, quiet_s: float, settle_s: float, seconds: float
) -> None:
    random, early = np.random.default_rng(5), 0
    for _ in range(500):
        now, warming = 0.0, Warming(0.0, 0.0)
        while now < settle_s:
            warming = warming.add(cold(random, now))
            now += ROUND_S
            if warming.has_settled(quiet_s, now):
                break
            warming = replace(warming, asked=now)
        early += now < seconds
    assert early <= 5


def test_the_policy_takes_a_number_or_a_mapping() -> None:
    assert policy(warmup="5").warmup.requests == 5
    assert policy(warmup="{quiet: 20s, settle: 90s}").warmup.requests == 20
    with pytest.raises(PolicyError, match="settle: expected at least quiet, 2s"):
        parse("target: {inferenceservice: a}\nwarmup: {settle: 1s}", "test")
    with pytest.raises(PolicyError, match="warmup"):
        parse("target: {inferenceservice: a}\nwarmup: true", "test")
