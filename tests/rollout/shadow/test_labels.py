"""True labels: valid whether people label at random or what annoyed them."""

import numpy as np
import pytest

from scripts.rollout.decision import paired
from scripts.rollout.evidence.evidence import Evidence
from scripts.rollout.evidence.pairs.paired import PairCounts
from scripts.rollout.state.notes import NoteKind
from scripts.rollout.state.observation import PairedDelta
from scripts.rollout.state.state import Phase
from tests.support.worlds import ERRORS, LATENCY, Rollout, design, policy

ACCURACY = "{name: accuracy, feedback: label, weight: 3}"
SHADOW = policy(shadow="{share: 50%}", metrics=f"[{ERRORS}, {LATENCY}, {ACCURACY}]")


def _complained(weight: int, wrong: float = 0.5) -> float:
    """Return how often a label that somebody gives out of anger is the canary's fault.

    They have seen the canary's answer as often as its `weight`; of answers that differ
    it is the `wrong` one, and only who saw a wrong one complains.
    """
    canary, stable = wrong * weight / 100, (1 - wrong) * (100 - weight) / 100
    return canary / (canary + stable)


def _rolled_back(share: float, limit: float, minutes: int = 5) -> float:
    """Simulate 2,000 bakes with 20 labels a minute; return the share rolled back."""
    random, size, chosen = np.random.default_rng(4), 2000, design()
    known = np.full((size, 1), 1.0)
    found = Evidence.begin(chosen, known, 100 * known, has_pairs=True)
    back, at, phi = np.zeros(size, dtype=bool), np.array(95.0), np.ones((1, 1))
    for _ in range(6 * minutes):
        n = random.poisson(20 / 6, (size, 1)).astype(float)
        wrong = random.binomial(n.astype(int), share).astype(float)
        pairs = PairCounts(wrong, n - wrong, np.zeros_like(n), n)
        found = found.with_pairs(chosen, pairs, np.array([limit]), phi, at)
        back |= found.must_roll_back(chosen)
    return float(back.mean())


@pytest.mark.parametrize("weight", [5, 50, 75, 95])
def test_labels_by_complaint_roll_no_equal_canary_back(weight: int) -> None:
    limit = paired.fair(weight)
    assert _rolled_back(_complained(weight), limit) <= 0.01
    assert _rolled_back(0.5, limit) <= 0.01  # at random
    halves = (0.5 + _complained(weight)) / 2
    assert _rolled_back(halves, limit) <= 0.01  # some of either


def test_one_half_as_the_limit_would_roll_most_of_them_back() -> None:
    """As it was: an equal canary in its bake at 95 %."""
    assert _rolled_back(_complained(95), 0.5) > 0.9


@pytest.mark.parametrize("weight", [25, 50])
def test_a_canary_that_is_wrong_more_often_is_found_up_to_one_half(weight: int) -> None:
    limit = paired.fair(weight)
    by_complaint, at_random = _complained(weight, 0.9), 0.9
    assert _rolled_back(by_complaint, limit, minutes=10) > 0.95
    assert _rolled_back(at_random, limit) > 0.95


def _labels(percent: int) -> PairedDelta:
    rows = {"accuracy": (38.0, 2.0, 0.0, 40.0)}
    return PairedDelta("feedback", rows, percent=percent)


@pytest.mark.parametrize(("percent", "ends"), [(50, True), (95, False)])
def test_labels_are_weighed_by_the_weight_at_which_users_got_the_answers(
    percent: int, ends: bool
) -> None:
    rollout = Rollout.begun(SHADOW)
    rollout.until(Phase.STEP, 0)
    for _ in range(2):
        rollout.look(beside=(_labels(percent),))
    assert bool(rollout.state.reason) is ends


def test_a_raise_above_one_half_says_what_labels_show_from_then_on() -> None:
    rollout, said = Rollout.begun(SHADOW), []
    for _ in range(60):
        good = {name: (0.0, 0.0, 0.0, 2000.0) for name in ("errors", "latency")}
        decision = rollout.look(beside=(PairedDelta("shadow", good),))
        said += [each for each in decision.notes]
        if rollout.state.phase is Phase.BAKE:
            break
    (note,) = [each for each in said if each.kind is NoteKind.LABELS_SHOW_LITTLE]
    assert note.text.startswith("labels of answers given at 95 % speak against")
    assert "wrong in more than 95.00% of those that differ" in note.text
