"""Over-dispersion: what is dependent is found on its scale of time, nothing else is."""

import numpy as np
import pytest

from scripts.rollout.evidence.arrays import Array
from scripts.rollout.evidence.dispersion import dispersion

SCRAPES, REQUESTS = 2160, 500  # six hours at 50 requests a second
SEEDS = range(12)


def _phis(rate: Array, cluster: int = 1) -> Array:
    """Phi of pasts in which outcomes have this rate by scrape, 12 times."""
    found = []
    for seed in SEEDS:
        random = np.random.default_rng(seed)
        n = random.poisson(REQUESTS / cluster, len(rate))
        bad = random.binomial(n, rate)
        found.append(
            dispersion(
                np.array(bad[:, None], float) * cluster, np.array(n, float) * cluster
            )
        )
    return np.array(found)


def _pieces(times: float, share: float, scrapes: int) -> Array:
    """A rate that is so many times higher in pieces of so many scrapes."""
    random = np.random.default_rng(3)
    is_on = np.repeat(random.random(SCRAPES // scrapes + 1) < share, scrapes)
    return 0.01 * np.where(is_on[:SCRAPES], times, 1.0)


def test_independent_outcomes_are_no_clusters() -> None:
    phis = _phis(np.full(SCRAPES, 0.005))
    assert (phis == 1).mean() >= 0.8
    assert phis.max() < 2


@pytest.mark.parametrize(("scrapes", "most"), [(30, 15), (SCRAPES, 10)])
def test_clusters_of_four_are_found_also_from_thirty_scrapes(
    scrapes: int, most: float
) -> None:
    phis = _phis(np.full(scrapes, 0.01), cluster=4)
    assert 3 < np.median(phis) < most  # an upper end
    assert (phis > 1.5).mean() >= 0.9


@pytest.mark.parametrize(
    ("times", "share", "scrapes"), [(2, 0.2, 30), (3, 0.1, 18), (5, 0.05, 6)]
)
def test_trouble_that_lasts_for_minutes_is_found(
    times: float, share: float, scrapes: int
) -> None:
    assert _phis(_pieces(times, share, scrapes)).min() > 3


def test_one_past_incident_is_no_over_dispersion() -> None:
    rate = np.full(SCRAPES, 0.005)
    rate[1440:1476] = 0.05
    assert np.median(_phis(rate)) == 1


@pytest.mark.parametrize("swing", [0.5, 0.8])
def test_a_daily_wave_is_no_over_dispersion(swing: float) -> None:
    rate = 0.005 * (1 + swing * np.sin(2 * np.pi * np.arange(SCRAPES) / 8640))
    assert np.median(_phis(rate)) == 1


def test_of_an_hourly_wave_little_is_taken_for_over_dispersion() -> None:
    """Nearly a straight line over twenty minutes; first differences gave 17."""
    rate = 0.01 * (1 + 0.5 * np.sin(2 * np.pi * np.arange(SCRAPES) / 360))
    assert np.median(_phis(rate)) < 12


def test_labels_that_come_together_are_found_together() -> None:
    """Several kinds of outcome, as drift counts them."""
    random = np.random.default_rng(1)
    alone = np.array(random.multinomial(100, [0.5, 0.3, 0.2], 500), float)
    assert dispersion(alone, alone.sum(axis=1)) < 1.5
    together = 4 * np.array(random.multinomial(25, [0.5, 0.3, 0.2], 500), float)
    assert 3.5 < dispersion(together, together.sum(axis=1)) < 10  # an upper end


def test_scrapes_without_requests_and_without_bad_outcomes_say_nothing() -> None:
    n = np.tile([0.0, 100.0], 50)
    assert dispersion(np.zeros((100, 1)), n) == 1
    assert dispersion(np.zeros((0, 1)), np.zeros(0)) == 1
