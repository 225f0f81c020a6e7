"""The anytime interval holds the true difference, and gets narrower."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import binom

from scripts.rollout.evidence.arrays import Array
from scripts.rollout.evidence.interval import MARGINS, SIGNS, Interval
from scripts.rollout.evidence.two_sample import Counts

ONE = np.ones(1)
PERCENT = np.array([0.01])


def _counts(*rows: tuple[float, float, float, float]) -> Counts:
    """Scrapes of canary bad, n, stable bad, n."""
    return Counts(*np.array(rows, dtype=float).T[..., None])


def _ends(intervals: list[Interval], alpha: float = 0.05) -> list[tuple[float, float]]:
    """Both ends after every scrape."""
    bounds = (each.bounds(alpha) for each in intervals)
    return [(float(low[0]), float(high[0])) for low, high in bounds]


def _watch(
    canary: Array, stable: Array, weights: Array, seed: int
) -> list[tuple[float, float]]:
    """Both ends after every scrape of 500 requests at these rates and weights."""
    random = np.random.default_rng(seed)
    n = np.stack([500 * weights, 500 * (1 - weights)])
    bad = random.binomial(n.astype(int), [canary, stable])
    rows = zip(bad[0], n[0].astype(int), bad[1], n[1].astype(int), strict=True)
    return _ends(Interval.begin(PERCENT).over(_counts(*rows), ONE))


@pytest.mark.parametrize("seen", [(0, 9, 0, 9), (1, 9, 5, 9), (9, 9, 0, 90)])
def test_no_bet_is_worth_more_than_one_on_average_where_its_hypothesis_holds(
    seen: tuple[int, int, int, int],
) -> None:
    """By enumeration of every outcome of a scrape, after any earlier ones."""
    sizes = (4, 6)
    outcomes = list(product(range(sizes[0] + 1), range(sizes[1] + 1)))
    before = Interval.begin(PERCENT).over(_counts(seen), ONE)[-1]
    worth = []
    for canary, stable in outcomes:
        after = before.over(_counts((canary, sizes[0], stable, sizes[1])), ONE)[0]
        worth.append(np.exp(after.logs[:, 0] - before.logs[:, 0]))
    found = np.stack(worth)
    assert found.max() > 1.2
    for canary, stable in product(np.linspace(0, 1, 21), repeat=2):
        chances = [
            binom.pmf(c, sizes[0], canary) * binom.pmf(s, sizes[1], stable)
            for c, s in outcomes
        ]
        mean = np.tensordot(chances, found, 1)
        for order, difference in enumerate((canary - stable, stable - canary)):
            holds = SIGNS * (difference - MARGINS) <= 1e-12
            assert mean[order][holds].max(initial=0) <= 1 + 1e-9


def test_it_misses_the_truth_at_some_look_less_often_than_alpha() -> None:
    """At weights that change, with an incident in both arms at the low ones."""
    weights = np.repeat([0.06, 0.5, 0.94], 20)
    both = np.where(weights < 0.1, 0.05, 0.0)
    missed = sum(
        any(
            not low <= 0.02 <= high
            for low, high in _watch(0.03 + both, 0.01 + both, weights, seed)
        )
        for seed in range(100)
    )
    assert missed <= 5


def test_an_incident_of_both_arms_is_no_difference_whatever_the_weights() -> None:
    """All it has of the canary is from the good time, nearly, and all of the stable."""
    weights = np.repeat([0.06, 0.94], 60)
    both = np.where(weights < 0.1, 0.2, 0.01)
    low, high = _watch(both, both, weights, 3)[-1]
    assert low < 0 < high
    assert high - low <= 0.05


def test_it_closes_in_on_the_truth_from_both_sides() -> None:
    same = np.full(600, 0.4)
    for canary, stable in ((0.03, 0.01), (0.01, 0.03)):
        low, high = sorted(map(abs, _watch(canary * ONE, stable * ONE, same, 1)[-1]))
        assert 0.01 <= low <= 0.02 <= high <= 0.03


def test_nothing_bad_in_700_requests_of_each_is_within_a_point_of_nothing() -> None:
    rows = [(0, 24, 0, 22)] * 30
    assert _ends(Interval.begin(PERCENT).over(_counts(*rows), ONE), 0.01)[-1] == (
        -0.01,
        0.01,
    )


def test_with_the_arms_exchanged_its_ends_are_too() -> None:
    random = np.random.default_rng(5)
    rows = [(*random.binomial([30, 30], [0.2, 0.2]), 0, 0) for _ in range(40)]
    there = [(bad, 30, other * 3, 400) for bad, other, _, _ in rows]
    back = [(c, d, a, b) for a, b, c, d in there]
    ends = _ends(Interval.begin(PERCENT).over(_counts(*there), ONE))
    exchanged = _ends(Interval.begin(PERCENT).over(_counts(*back), ONE))
    assert [(-high, -low) for low, high in exchanged] == ends
    assert ends[-1][0] > 0


def test_nothing_seen_rules_nothing_out() -> None:
    assert [float(each[0]) for each in Interval.begin(PERCENT).bounds(0.05)] == [-1, 1]
    once = Interval.begin(PERCENT).over(_counts((0, 9, 5, 9)), ONE)
    assert _ends(once) == [(-1, 1)]


def test_many_scrapes_at_once_are_the_same_as_one_by_one() -> None:
    random = np.random.default_rng(2)
    rows = random.integers(1, 50, (40, 4, 2)).astype(float)
    rows[:, 1::2] += 50
    begun = Interval.begin(np.array([0.01, 0.3]))
    together = begun.over(Counts(*np.moveaxis(rows, 1, 0)), np.ones(2))
    alone = begun
    for row, expected in zip(rows, together, strict=True):
        (alone,) = alone.over(Counts(*row[:, None]), np.ones(2))
        assert np.allclose(alone.logs, expected.logs, rtol=1e-12)
        assert np.array_equal(alone.seen, expected.seen)
        assert np.allclose(alone.shares, expected.shares, rtol=1e-12)


def test_one_that_is_not_shown_counts_and_bets_nothing() -> None:
    begun, counts = Interval.begin(PERCENT), _counts((1, 9, 1, 20), (2, 9, 0, 20))
    shown, silent = (begun.over(counts, ONE, is_shown=each) for each in (True, False))
    for one, other in zip(shown, silent, strict=True):
        assert np.array_equal(one.seen, other.seen)
        assert np.array_equal(one.shares, other.shares)
    assert not silent[-1].logs.any()
    assert shown[-1].logs.any()


def test_shares_are_of_the_same_scrapes_in_both_arms() -> None:
    """At 5 % half of all are bad, at 95 % none: the totals are 50 against 95 %."""
    rows = [(25, 50, 475, 950), (0, 950, 0, 50)]
    last = Interval.begin(PERCENT).over(_counts(*rows), ONE)[-1]
    assert last.standardised[:, 0].tolist() == pytest.approx([0.25, 0.25])
    assert last.seen[:, 0].tolist() == [25, 1000, 475, 1000]
    assert Interval.begin(PERCENT).standardised[:, 0].tolist() == [0, 0]
