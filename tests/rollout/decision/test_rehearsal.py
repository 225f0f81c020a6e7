"""Rollouts of the stable beside itself: as good as it, on its own past."""

import numpy as np
import pytest

from scripts.rollout.decision.rehearsal import Rehearsal, rehearse
from scripts.rollout.policy.reader import parse
from scripts.rollout.state.observation import Delta

POLICY = parse(
    """
target: {inferenceservice: intent}
steps: auto
source: {interval: 10s}
dependence: {clusterSize: 1}
metrics: [{name: errors, budget: 2%}]
""",
    "test",
)


def _past(rates: list[float]) -> list[Delta]:
    random = np.random.default_rng(1)
    return [
        Delta({"errors": (0.0, 0.0, float(random.binomial(500, p)), 500.0)})
        for p in rates
    ]


def test_a_calm_stable_passes_beside_itself() -> None:
    found = rehearse(POLICY, _past([0.005] * 200), 40, shares_trouble=True)
    assert found.rolled_back == 0
    assert found.median_s is not None
    assert found.median_s < 300


def test_trouble_that_lasts_counts_only_where_each_arm_has_its_own() -> None:
    past = _past(([0.005] * 40 + [0.2] * 20) * 6)
    shared = rehearse(POLICY, past, 60, shares_trouble=True)
    own = rehearse(POLICY, past, 60, shares_trouble=False)
    assert shared.rolled_back <= 1
    assert own.rolled_back > shared.rolled_back + 3


def test_the_same_past_gives_the_same_rehearsal() -> None:
    past = _past([0.005] * 100)
    first, again = (rehearse(POLICY, past, 5, shares_trouble=False) for _ in range(2))
    assert first == again


def test_what_half_of_the_rollouts_never_pass_has_no_median() -> None:
    assert Rehearsal(4, 0, (10.0, 20.0)).median_s is None
    assert Rehearsal(4, 0, (10.0, 20.0, 30.0)).median_s == 30.0


def test_as_many_rollbacks_as_promised_are_no_surprise() -> None:
    assert Rehearsal(200, 0, ()).chance(0.01) == 1
    assert Rehearsal(200, 2, ()).chance(0.01) == pytest.approx(0.595, abs=0.001)
    assert Rehearsal(200, 9, ()).chance(0.01) < 0.001
