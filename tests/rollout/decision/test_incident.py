"""An incident of both arms over `maxErrorRate`, and a canary that is alone over it."""

from dataclasses import replace
from math import comb

import numpy as np
import pytest

from scripts.rollout.decision.explaining import reasons
from scripts.rollout.errors import Exit
from scripts.rollout.evidence.arrays import Array
from scripts.rollout.evidence.evidence import Evidence
from scripts.rollout.evidence.two_sample import Counts
from scripts.rollout.state.notes import NoteKind
from scripts.rollout.state.observation import Delta
from scripts.rollout.state.overrun import Overrun
from scripts.rollout.state.state import Phase
from tests.support.worlds import Rollout, delta, design, policy

N = 500  # requests in a look of 10 s at 50 a second


def _begun(weight: int, phase: Phase = Phase.STEP) -> Rollout:
    rollout = Rollout.begun(policy(steps="[5, 25, 50]", bake="{duration: 10m}"))
    rollout.until(phase, weight)
    return rollout


def _failing(weight: int, canary: float, stable: float) -> Delta:
    n = N * weight / 100
    errors = (round(n * canary), n, round((N - n) * stable), N - n)
    good = delta(weight, N)
    return replace(good, metrics={**good.metrics, "errors": errors})


@pytest.mark.parametrize("share", [0.3, 0.4, 1.0])
@pytest.mark.parametrize(
    ("weight", "phase"), [(5, Phase.STEP), (50, Phase.STEP), (95, Phase.BAKE)]
)
def test_an_incident_of_both_arms_rolls_nothing_back_and_is_said_at_both_ends(
    share: float, weight: int, phase: Phase
) -> None:
    rollout, said = _begun(weight, phase), []
    for _ in range(12):
        decision = rollout.look(delta=_failing(weight, share, share))
        said += [note.kind for note in decision.notes]
        assert (decision.state.phase, decision.state.weight) == (phase, weight)
    for _ in range(4):
        decision = rollout.look(delta=_failing(weight, 0.0, 0.0))
        said += [note.kind for note in decision.notes]
    assert said.count(NoteKind.BOTH_FAIL) == 1
    assert said.count(NoteKind.BOTH_RECOVERED) == 1
    assert NoteKind.GUARD not in said


def test_an_incident_holds_the_raise_that_the_evidence_allows() -> None:
    rollout = _begun(50)
    for _ in range(3):
        rollout.look(delta=_failing(50, 0.4, 0.4))
    for _ in range(30):
        # The canary is as bad as the stable: its gate opens, nothing is raised.
        decision = rollout.look(delta=_failing(50, 0.3, 0.9))
    assert decision.state.judged is not None
    opens = decision.state.judged.evidence.opens(
        rollout.machine.rules.design(decision.state.steps)
    )
    assert opens[-1]
    assert (decision.state.phase, decision.state.weight) == (Phase.STEP, 50)
    for _ in range(6):
        rollout.look(delta=_failing(50, 0.0, 0.0))
    assert rollout.state.weight == 95


@pytest.mark.parametrize(("canary", "stable"), [(0.3, 0.9), (0.4, 0.4), (0.9, 0.9)])
def test_a_gate_that_an_incident_shut_opens_again_within_a_minute_of_good_looks(
    canary: float, stable: float
) -> None:
    """All bets were wrong: what is left of the reserve is bet on the rates since."""
    rollout = _begun(50)
    for rates in [(0.4, 0.4)] * 3 + [(canary, stable)] * 30:
        rollout.look(delta=_failing(50, *rates))
    assert rollout.state.weight == 50
    for _ in range(6):
        rollout.look(delta=_failing(50, 0.0, 0.0))
    assert rollout.state.weight == 95


@pytest.mark.parametrize(
    ("weight", "phase"), [(5, Phase.STEP), (50, Phase.STEP), (95, Phase.BAKE)]
)
def test_a_canary_alone_over_the_limit_goes_within_two_looks(
    weight: int, phase: Phase
) -> None:
    rollout = _begun(weight, phase)
    for _ in range(2):
        rollout.look(delta=_failing(weight, 0.4, 0.005))
    assert rollout.state.weight == 0


def test_beside_a_stable_without_requests_the_limit_counts_alone() -> None:
    rollout = Rollout.begun(policy(steps="[90]"))
    rollout.until(Phase.STEP, 90)
    for _ in range(4):
        errors = (12.0, 30.0, 0.0, 0.0)
        if rollout.state.weight:
            rollout.look(delta=Delta({"errors": errors}))
    assert rollout.state.code is Exit.GUARD
    assert "40.00% of its requests failed in" in rollout.state.reason


def test_the_reason_names_the_share_of_the_seconds_over_the_limit() -> None:
    """Not that of the whole rollout, which may be below it."""
    rollout = Rollout.begun(policy(steps="[90]"))
    rollout.until(Phase.STEP, 90)
    good = (0.0, 300.0, 0.0, 0.0)
    for _ in range(6):
        rollout.look(delta=Delta({"errors": good, "latency": good}))
    for _ in range(12):
        bad = (12.0, 30.0, 0.0, 0.0)
        if rollout.state.weight:
            rollout.look(delta=Delta({"errors": bad, "latency": good}))
    assert "40.00% of its requests failed in" in rollout.state.reason
    assert "more than 20.00%" in rollout.state.reason


def test_the_share_of_an_overrun_is_above_its_limit_whatever_came() -> None:
    random = np.random.default_rng(3)
    over = Overrun()
    for now in range(2000):
        n = float(random.integers(0, 40))
        over = over.add(0.2, float(random.binomial(int(n), 0.21)), n, float(now))
        assert not over.excess or over.share > 0.2


@pytest.mark.parametrize("canary", [0.05, 0.2, 0.4, 0.9])
@pytest.mark.parametrize("stable", [0.05, 0.2, 0.4, 0.9])
def test_the_ceilings_mean_e_value_is_at_most_one_where_it_or_the_stable_is_kept(
    canary: float, stable: float
) -> None:
    """Every outcome of one scrape of 6 and 5 requests, with its probability."""
    if canary > 0.2 and canary > stable:
        return  # the hypothesis does not hold
    chosen = design()
    bad = np.array([[c, s] for c in range(7) for s in range(6)], dtype=float)
    shape = (len(bad), 1)
    counts = Counts(
        bad[:, 0].reshape(1, -1, 1),
        np.full((1, *shape), 6.0),
        bad[:, 1].reshape(1, -1, 1),
        np.full((1, *shape), 5.0),
    )
    begun = Evidence.begin(chosen, np.full(shape, 0.5), np.full(shape, 50.0))
    (after,) = begun.update(
        chosen, counts, np.ones(1), np.full(len(bad), 50.0), [False]
    )
    mean = _chances(bad, canary, stable) @ after.against()[:, -1]
    assert mean <= 1 + 1e-9


def _chances(bad: Array, canary: float, stable: float) -> Array:
    found = [
        comb(6, int(c))
        * canary**c
        * (1 - canary) ** (6 - c)
        * comb(5, int(s))
        * stable**s
        * (1 - stable) ** (5 - s)
        for c, s in bad
    ]
    return np.array(found)


def test_what_is_waited_for_names_the_incident() -> None:
    rollout = _begun(50)
    for _ in range(3):
        rollout.look(delta=_failing(50, 0.4, 0.5))
    waits = reasons.waiting(rollout.machine.rules, rollout.state, None)
    assert waits[0].startswith("both arms fail more than 20.00%: 40.00% beside")
