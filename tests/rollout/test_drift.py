"""Drift of predicted labels: one bet on one set, whatever the number of labels."""

from itertools import product
from math import factorial, prod

import numpy as np
import pytest

from scripts.rollout.drift import Labels
from scripts.rollout.evidence import Array, Worse, log_e


def _run(canary: Array, seed: int, scrapes: int = 360) -> int:
    """Scrapes until an alarm at 1 %, 0 where there is none in an hour."""
    stable = 1 / np.arange(1, 78)
    stable /= stable.sum()
    random, labels, worse = (
        np.random.default_rng(seed),
        Labels.begin((77,)),
        Worse.begin(()),
    )
    tolerance = np.array(0.05)
    for number in range(1, scrapes + 1):
        c = random.multinomial(25, canary).astype(float)
        s = random.multinomial(475, stable).astype(float)
        counts, share = labels.compare(c, s)
        logs = log_e(counts, worse.bets(tolerance, share))
        worse = worse.update(counts, logs, is_new_epoch=number % 6 == 0)
        labels = labels.update(c, s)
        if float(worse.mixture.value) >= 100:
            return number
    return 0


def _moved(by: float) -> Array:
    """The stable's distribution with this much mass moved to its rarest labels."""
    shares = 1 / np.arange(1, 78)
    shares /= shares.sum()
    shares[:10] -= by * shares[:10] / shares[:10].sum()
    shares[-20:] += by / 20
    return np.asarray(shares)


@pytest.mark.parametrize("distance", [0.0, 0.05])
def test_no_alarm_up_to_the_tolerance(distance: float) -> None:
    assert [_run(_moved(distance), seed, 120) for seed in range(5)] == [0] * 5


def test_twice_and_four_times_the_tolerance_are_found() -> None:
    assert 0 < np.median([_run(_moved(0.2), seed) for seed in range(5)]) < 30
    assert 0 < np.median([_run(_moved(0.1), seed) for seed in range(5)]) < 200


def test_a_collapse_to_one_class_is_found_at_once() -> None:
    collapsed = np.full(77, 0.2 / 76)
    collapsed[3] = 0.8
    assert 0 < _run(collapsed, 1) <= 4


def test_equal_shares_are_worth_at_most_one_on_average() -> None:
    """By enumeration over two scrapes: the second is judged by the first's set."""
    shares, total = (0.6, 0.3, 0.1), 0.0
    outcomes = [o for o in product(range(3), repeat=3) if sum(o) == 2]

    def chance(*many: tuple[int, ...]) -> float:
        return prod(
            factorial(2)
            / prod(map(factorial, each))
            * prod(p**k for p, k in zip(shares, each, strict=True))
            for each in many
        )

    for a, b, c, d in product(outcomes, repeat=4):
        labels, worse = Labels.begin((3,)), Worse.begin(())
        for canary, stable in ((a, b), (c, d)):
            one, other = np.array(canary, dtype=float), np.array(stable, dtype=float)
            counts, share = labels.compare(one, other)
            logs = log_e(counts, worse.bets(np.array(0.0), share))
            worse = worse.update(counts, logs, is_new_epoch=True)
            labels = labels.update(one, other)
        total += chance(a, b, c, d) * float(worse.mixture.value)
    assert 0.9 < total <= 1 + 1e-12


def test_nothing_known_is_no_set_and_no_evidence() -> None:
    counts, _ = Labels.begin((2,)).compare(np.array([5.0, 0]), np.array([0, 9.0]))
    assert (float(counts.canary_n), float(counts.stable_n)) == (0, 0)


def test_a_label_never_seen_before_finds_room() -> None:
    labels = Labels.begin((1,)).update(np.array([2.0]), np.array([8.0])).widened(2)
    assert labels.canary.tolist() == [2, 0]
    labels = labels.update(np.array([0.0, 2]), np.array([0.0, 0]))
    assert float(labels.distance) == pytest.approx(0.5)
