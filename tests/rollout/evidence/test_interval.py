"""The anytime interval holds the true difference, and gets narrower."""

import numpy as np

from scripts.rollout.evidence.interval import DIFFERENCES, Interval
from scripts.rollout.evidence.two_sample import Counts


def _watch(
    canary: float, stable: float, scrapes: int, seed: int
) -> list[tuple[float, float]]:
    """Both ends after every scrape."""
    random, interval, ends = np.random.default_rng(seed), Interval.begin(1), []
    phi = np.ones(1)
    for _ in range(scrapes):
        pairs = (random.binomial(200, canary), 200), (random.binomial(300, stable), 300)
        counts = Counts(*(np.array([[float(x)]]) for pair in pairs for x in pair))
        (interval,) = interval.over(counts, phi)
        low, high = interval.bounds(0.05)
        ends.append((float(low[0]), float(high[0])))
    return ends


def test_it_misses_the_truth_at_some_look_less_often_than_alpha() -> None:
    missed = sum(
        any(not low <= 0.02 <= high for low, high in _watch(0.03, 0.01, 60, seed))
        for seed in range(100)
    )
    assert missed <= 5


def test_it_closes_in_on_the_truth() -> None:
    low, high = _watch(0.03, 0.01, 600, 1)[-1]
    assert 0 < low <= 0.02 <= high <= 0.05


def test_nothing_seen_rules_nothing_out() -> None:
    assert [float(each[0]) for each in Interval.begin(1).bounds(0.05)] == [-1, 1]


def test_what_waits_is_counted_when_it_is_shown() -> None:
    one, row = np.ones(1), np.ones((1, 1))
    counts = Counts(row, 9 * row, row, 20 * row)
    (interval,) = Interval.begin(1).over(counts, one)
    assert interval.seen.sum() == 0
    assert interval.settled(one).seen[:, 0].tolist() == [1, 9, 1, 20]
    assert 0.0 in DIFFERENCES


def test_many_scrapes_at_once_are_the_same_as_one_by_one() -> None:
    random = np.random.default_rng(2)
    rows = random.integers(1, 50, (40, 4, 2)).astype(float)
    rows[:, 1::2] += 50
    together = Interval.begin(2).over(Counts(*np.moveaxis(rows, 1, 0)), np.ones(2))
    alone = Interval.begin(2)
    for row, expected in zip(rows, together, strict=True):
        (alone,) = alone.over(Counts(*row[:, None]), np.ones(2))
        assert np.allclose(alone.logs, expected.logs, rtol=1e-12)
        assert np.array_equal(alone.seen, expected.seen)
        assert np.array_equal(alone.waiting, expected.waiting)
        assert alone.scrapes == expected.scrapes
