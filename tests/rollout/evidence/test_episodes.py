"""Harm that comes now and then: what a bake meets of it."""

import numpy as np
import pytest

from scripts.rollout.evidence.forecast import episodes
from scripts.rollout.evidence.forecast.episodes import BURST_S, Stays
from scripts.rollout.evidence.forecast.ladder import Traffic
from tests.support.worlds import design

TRAFFIC = Traffic(50.0, np.array([0.005]), np.ones(1))
GATE_S = 80.0


def _promoted(percent: int, bake_s: float, period_s: float) -> float:
    stays = Stays(50, GATE_S, percent, bake_s)
    return episodes.promoted(design(budget=0.005), TRAFFIC, 10.0, stays, period_s)


@pytest.mark.parametrize("period_s", [60.0, 300.0, 1200.0])
def test_a_bake_of_one_period_at_half_of_the_traffic_promotes_at_most_beta(
    period_s: float,
) -> None:
    assert _promoted(50, max(300.0, period_s + 10), period_s) <= 0.05


def test_at_95_percent_the_control_group_is_too_small_for_one_burst() -> None:
    assert _promoted(95, 310.0, 300.0) > 0.2


def test_what_comes_less_often_than_the_bake_lasts_is_promoted_by_chance() -> None:
    """A burst in 20 minutes falls into 5 and a half of them one time in four or so."""
    assert 0.5 < _promoted(50, 300.0, 1200.0) < 0.9


@pytest.mark.parametrize("step_s", [2.0, 10.0, 70.0])
def test_each_period_has_one_burst_however_long_a_look_is(step_s: float) -> None:
    looks, period_s = 2100, 60.0
    since = np.mod(np.arange(looks, dtype=np.float64) * step_s - 17.0, period_s)
    total = episodes.burst_seconds(since, step_s, period_s).sum()
    assert total == pytest.approx(looks * step_s / period_s * BURST_S, rel=0.01)
