"""What equal pods may differ by: the allowance from the stable's own pods."""

import numpy as np
import pytest

from scripts.rollout.evidence.dispersion import allowance, student

ALPHA = 0.005


# Quantiles of Student's distribution, from a table.
@pytest.mark.parametrize(
    ("p", "degrees", "expected"),
    [
        (0.99, 1, 31.821),
        (0.99, 2, 6.965),
        (0.99, 3, 4.541),
        (0.99, 9, 2.821),
        (0.95, 4, 2.132),
        (0.995, 19, 2.861),
    ],
)
def test_students_quantile_is_that_of_the_tables(
    p: float, degrees: int, expected: float
) -> None:
    assert student(p, degrees) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("cv", [0.2, 0.5])
@pytest.mark.parametrize("canaries", [1, 3])
def test_a_canary_of_the_stables_kind_rarely_differs_by_more(
    cv: float, canaries: int
) -> None:
    """4 pods of 100,000 requests; gamma shares around 1 %; 2,000 canaries."""
    random, more, runs = np.random.default_rng(1), 0, 2000
    for _ in range(runs):
        shares = 0.01 * random.gamma(1 / cv**2, cv**2, 4 + canaries)
        n = np.full(4, 1e5)
        bad = random.binomial(100_000, shares[:4]).astype(float)
        allowed = allowance(bad, n, 1.0, canaries, ALPHA)
        more += shares[4:].mean() - bad.sum() / n.sum() > allowed
    assert more / runs <= 0.02


def test_equal_pods_allow_nearly_nothing() -> None:
    random = np.random.default_rng(2)
    found = [
        allowance(random.binomial(100_000, 0.01, 4).astype(float), N, 1.0, 1, ALPHA)
        for _ in range(200)
    ]
    assert float(np.median(found)) == 0
    assert max(found) < 0.005


N = np.full(4, 1e5)
DIFFERENT = np.array([500.0, 900.0, 1100.0, 1500.0])


def test_more_pods_of_the_canary_may_differ_less() -> None:
    allowed = [allowance(DIFFERENT, N, 1.0, canaries, ALPHA) for canaries in (1, 2, 8)]
    assert allowed == sorted(allowed, reverse=True)
    assert allowed[0] > 0.01


def test_one_pod_or_one_that_is_new_tells_nothing() -> None:
    assert allowance(np.array([9.0]), np.array([100.0]), 1.0, 1, ALPHA) == 0
    assert allowance(np.zeros(0), np.zeros(0), 1.0, 1, ALPHA) == 0
    new = np.array([1e5, 10.0])
    assert allowance(np.array([1000.0, 9.0]), new, 1.0, 1, ALPHA) == 0


def test_clusters_inside_a_pod_are_no_difference_between_pods() -> None:
    allowed = [allowance(DIFFERENT, N, phi, 1, ALPHA) for phi in (1.0, 40.0)]
    assert allowed[1] < allowed[0]
