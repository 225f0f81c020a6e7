"""The bet on pairs: worth one where it must be, and worth more the more arms agree."""

from collections.abc import Iterator
from math import factorial

import numpy as np
import pytest

from scripts.rollout.evidence.pairs.paired import PairBets, PairCounts, log_e
from scripts.rollout.evidence.two_sample import Bets, Counts
from scripts.rollout.evidence.two_sample import log_e as log_e_of_two

SIGNS = (1.0, -1.0)


def _outcomes(n: int) -> Iterator[tuple[int, int, int]]:
    for canary in range(n + 1):
        for stable in range(n + 1 - canary):
            yield canary, stable, n - canary - stable


def _mean_e(n: int, chances: tuple[float, float], bets: PairBets) -> float:
    """Return E[e] over every outcome of n pairs, by the multinomial distribution."""
    canary, stable, alike = np.array(list(_outcomes(n)), dtype=float).T
    ways = [
        factorial(n) / (factorial(a) * factorial(b) * factorial(c))
        for a, b, c in _outcomes(n)
    ]
    a, b = chances
    chance = np.array(ways) * a**canary * b**stable * (1 - a - b) ** alike
    counts = PairCounts(canary, stable, np.zeros_like(canary), np.full(len(ways), n))
    values = np.exp(log_e(counts, bets))[:, 0]
    return float((chance * values).sum())


def _bets(sign: float, margin: float, canary: float, stable: float) -> PairBets:
    return PairBets(*(np.array([each]) for each in (sign, margin, canary, stable)))


@pytest.mark.parametrize("sign", SIGNS)
def test_the_mean_e_value_is_at_most_one_wherever_its_hypothesis_holds(
    sign: float,
) -> None:
    random, largest = np.random.default_rng(3), 0.0
    for _ in range(1500):
        n = int(random.integers(1, 13))
        a, b, _ = random.dirichlet(random.choice([0.1, 1.0, 20.0], 3))
        beyond = random.choice(
            [0.0, random.uniform(0.0, 0.2)]
        )  # on the edge, or inside
        margin = float(np.clip(a - b + sign * beyond, -0.95, 0.95))
        if sign * (a - b - margin) > 0:
            continue
        guessed = random.dirichlet(random.choice([0.1, 1.0, 20.0], 3))
        bets = _bets(sign, margin, guessed[0], guessed[1])
        largest = max(largest, _mean_e(n, (a, b), bets))
    assert 0.9999 < largest <= 1 + 1e-9


def test_one_pair_is_worth_at_most_one_under_every_dependence_on_the_edge() -> None:
    """Both chances of being bad stay; how the two answers go together varies."""
    for both in np.linspace(0.0, 0.02, 9):
        a, b = 0.05 - both, 0.02 - both
        for guess in (0.001, 0.03, 0.3):
            bets = _bets(-1.0, 0.03, guess, guess)
            assert _mean_e(1, (a, b), bets) == pytest.approx(1.0, abs=1e-12)


def test_the_mean_may_be_of_unequal_pairs_in_one_scrape() -> None:
    """Half the pairs exceed the margin, half fall short of it: 0 on average."""
    bets = _bets(1.0, 0.0, 0.2, 0.05)
    worse, better = _mean_e(6, (0.2, 0.1), bets), _mean_e(6, (0.1, 0.2), bets)
    assert worse > 1
    assert worse * better <= 1


@pytest.mark.parametrize("sign", SIGNS)
def test_no_other_stake_grows_faster(sign: float) -> None:
    random = np.random.default_rng(5)
    for _ in range(200):
        a, b, c = random.dirichlet([0.5, 0.5, 5.0])
        margin = float(random.choice([0.0, 0.005, 0.1, 0.6, -0.3]))
        counts = PairCounts(*(np.array([each]) for each in (a, b, 0.0, a + b + c)))
        chosen = float(log_e(counts, _bets(sign, margin, a, b))[0, 0])
        limit = 0.98 / (1 + sign * margin)
        stakes = sign * np.linspace(0.0, limit, 5001)
        every = (
            a * np.log1p(stakes * (1 - margin))
            + b * np.log1p(-stakes * (1 + margin))
            + c * np.log1p(-stakes * margin)
        )
        assert chosen == pytest.approx(every.max(), abs=1e-7)


def test_no_outcome_makes_it_negative_and_no_pair_is_no_evidence() -> None:
    chances = np.linspace(0.0, 0.5, 6)
    for sign in SIGNS:
        for margin in (-0.9, 0.0, 0.005, 0.9):
            bets = PairBets(*np.broadcast_arrays(sign, margin, chances, chances[::-1]))
            for counts in ((1, 0, 0, 1), (0, 1, 0, 1), (0, 0, 1, 1), (40, 9, 3, 90)):
                found = log_e(PairCounts(*np.array(counts, dtype=float)[:, None]), bets)
                assert np.isfinite(found).all()
            nothing = PairCounts(*np.zeros((4, 1)))
            assert (log_e(nothing, bets) == 0).all()


def _growth(correlation: float) -> tuple[float, float]:
    """Return nats a pair against +0.5 %: of this bet, and of the bet on two arms."""
    rate, margin = 0.01, 0.005
    apart = rate * (1 - rate) * (1 - correlation)
    pair = PairCounts(*(np.array([each]) for each in (apart, apart, rate - apart, 1.0)))
    own = log_e(pair, _bets(-1.0, margin, apart, apart))[0, 0]
    n = 1000.0
    counts = Counts(*(np.array([each]) for each in (rate * n, n, rate * n, n)))
    bets = Bets(*(np.array([each]) for each in (-1.0, margin, rate, rate)))
    return float(own), float(log_e_of_two(counts, bets)[0, 0]) / n


@pytest.mark.parametrize(
    ("correlation", "least"), [(0.0, 0.85), (0.5, 1.5), (0.8, 2.4)]
)
def test_the_more_alike_two_answers_are_the_more_a_pair_says(
    correlation: float, least: float
) -> None:
    paired, apart = _growth(correlation)
    assert paired / apart > least
