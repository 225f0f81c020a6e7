"""The split that is counted against the one that is set."""

from itertools import product
from math import comb

import numpy as np
import pytest

from scripts.rollout.evidence.split import (
    FACTORS,
    SIDES,
    Clusters,
    Split,
    log_e,
    log_right,
)

SHARES = (0.01, 0.05, 0.3, 0.5, 0.95)
TOLERANCES = (0.001, 0.1, 0.5)
N = 20


def _mean(logs: list[np.ndarray], p: float) -> np.ndarray:
    """Over the canary's requests of N, of which each is one with probability p."""
    chances = [comb(N, k) * p**k * (1 - p) ** (N - k) for k in range(N + 1)]
    values = zip(chances, logs, strict=True)
    return np.asarray(sum(chance * np.exp(log) for chance, log in values))


def _of(odds: float) -> float:
    return odds / (1 + odds)


@pytest.mark.parametrize("tolerance", TOLERANCES)
@pytest.mark.parametrize("share", SHARES)
def test_no_bet_is_worth_more_than_one_where_the_split_is_as_set(
    share: float, tolerance: float
) -> None:
    logs = [log_e(share, tolerance, k, N - k) for k in range(N + 1)]
    odds = share / (1 - share)
    for off in np.linspace(-1, 1, 9):
        mean = _mean(logs, _of(odds * (1 + tolerance) ** off))
        assert mean.max() <= 1 + 1e-9
    edge = _mean(logs, _of(odds * (1 + tolerance)))[SIDES > 0]
    assert edge == pytest.approx(np.ones(len(FACTORS)))


@pytest.mark.parametrize("side", [-1, 1])
def test_a_split_that_is_still_moved_is_seldom_called_right(side: int) -> None:
    for share, tolerance in product(SHARES, TOLERANCES):
        found = (log_right(share, tolerance, side, k, N - k) for k in range(N + 1))
        logs = [np.array(each) for each in found]
        odds = share / (1 - share)
        for off in (2, 3, 10):
            mean = _mean(logs, _of(odds * (1 + tolerance) ** (side * off)))
            assert mean <= 1 + 1e-9


@pytest.mark.parametrize("phi", [2, 5])
def test_requests_that_stick_together_count_as_one(phi: int) -> None:
    """Clusters of phi, each in one arm: the e-value to the power of 1/phi."""
    for share in SHARES:
        logs = [log_e(share, 0.1, phi * k, phi * (N - k)) / phi for k in range(N + 1)]
        assert _mean(logs, share).max() <= 1 + 1e-9


def _after(
    odds: float, share: float, scrapes: int, begin: Split | None = None
) -> Split:
    """Scrapes of 500 requests with what is expected of their odds."""
    found = begin or Split.begin(0.0)
    now = found.began
    for number in range(scrapes):
        p = _of(odds * share / (1 - share))
        canary = round(500 * p + 3 * (-1) ** number)
        found = found.add(share, 0.1, (canary, 500 - canary), now + 10 * (number + 1))
        if found.side:
            break
    return found


@pytest.mark.parametrize("share", [0.05, 0.25, 0.5, 0.95])
def test_a_split_that_is_right_is_never_called_moved(share: float) -> None:
    assert _after(1.0, share, 500).side == 0


@pytest.mark.parametrize(("odds", "side"), [(2.0, 1), (1.5, 1), (0.67, -1), (0.4, -1)])
@pytest.mark.parametrize("share", [0.05, 0.5])
def test_a_moved_split_is_found_with_its_side(
    odds: float, side: int, share: float
) -> None:
    found = _after(odds, share, 60)
    assert found.side == side
    assert found.canary / found.n == pytest.approx(
        _of(odds * share / (1 - share)), rel=0.1
    )


def test_a_split_that_moves_late_is_found_too() -> None:
    assert _after(2.0, 0.5, 20, _after(1.0, 0.5, 360)).side == 1


def test_a_split_that_is_right_again_is_said_to_be_and_watched_on() -> None:
    moved = _after(2.0, 0.5, 60)
    assert moved.add(0.5, 0.1, (333, 167), 1000.0).side == 1
    right = moved
    for number in range(20):
        right = right.add(0.5, 0.1, (250, 250), 1000.0 + 10 * number)
    assert right.side == 0
    assert _after(2.0, 0.5, 60, right).side == 1


def test_the_cluster_size_is_that_of_the_scrapes_before() -> None:
    clusters = Clusters()
    assert clusters.phi == 10
    rng = np.random.default_rng(1)
    for _ in range(300):
        clusters = clusters.add(8 * float(rng.binomial(60, 0.3)), 480)
    assert clusters.phi == pytest.approx(8, rel=0.25)


def test_a_split_that_moved_for_good_is_no_cluster() -> None:
    clusters, rng = Clusters(), np.random.default_rng(1)
    for number in range(200):
        share = 0.3 if number < 100 else 0.5
        clusters = clusters.add(float(rng.binomial(500, share)), 500)
    assert clusters.phi < 1.8


def test_scrapes_of_one_arm_alone_are_no_fault() -> None:
    found = Split.begin(0.0)
    for number in range(30):
        found = found.add(0.01, 0.1, (0, 20), 10.0 * number)
    assert found.side == 0
