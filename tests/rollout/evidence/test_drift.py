"""Drift of predicted labels: one bet on one set, whatever the number of labels."""

from itertools import product
from math import prod
from typing import Any

import numpy as np
import pytest

from scripts.rollout.decision import measurement
from scripts.rollout.evidence.arrays import Array
from scripts.rollout.evidence.drift import Labels
from scripts.rollout.state.observation import Delta
from tests.support.worlds import ERRORS, LABELS, policy

ONLY = policy(metrics=f"[{ERRORS}, {LABELS}]")


def _values(canary: Any, stable: Any) -> list[float]:
    """The e-value of drift after each scrape of predictions by label (S x labels)."""
    known = [Delta({"errors": (0, 0, 0, 1000)})]
    chosen = measurement.design(ONLY, (50,))
    begun = measurement.begin(ONLY, chosen, known, (np.ones(2), ("", "")), 0.0)
    deltas = [
        Delta(
            {"errors": (0, 1, 0, 1)},
            {str(k): (float(c[k]), float(s[k])) for k in range(len(c))},
        )
        for c, s in zip(canary, stable, strict=True)
    ]
    scrapes = [(10.0 * (i + 1), delta) for i, delta in enumerate(deltas)]
    found = measurement.update(ONLY, chosen, begun, scrapes, 50)
    return [float(each.evidence.worse.value[1]) for each in found]


def _run(canary: Array, seed: int, scrapes: int = 360) -> int:
    """Scrapes until an alarm at 1 %, 0 where there is none in an hour."""
    stable = 1 / np.arange(1, 78)
    random = np.random.default_rng(seed)
    values = _values(
        random.multinomial(25, canary, scrapes),
        random.multinomial(475, stable / stable.sum(), scrapes),
    )
    return next((i + 1 for i, value in enumerate(values) if value >= 100), 0)


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
    outcomes = [o for o in product(range(3), repeat=3) if sum(o) == 1]

    def chance(*many: tuple[int, ...]) -> float:
        return prod(
            prod(p**k for p, k in zip(shares, each, strict=True)) for each in many
        )

    for a, b, c, d in product(outcomes, repeat=4):
        total += chance(a, b, c, d) * _values(np.array([a, c]), np.array([b, d]))[-1]
    assert 0.9 < total <= 1 + 1e-12


def test_nothing_known_is_no_set_and_no_evidence() -> None:
    counts, _ = Labels.begin((2,)).compare(np.array([5.0, 0]), np.array([0, 9.0]))
    assert (float(counts.canary_n), float(counts.stable_n)) == (0, 0)


def test_a_label_never_seen_before_finds_room() -> None:
    labels = Labels(np.array([2.0]), np.array([8.0])).widened(2)
    assert labels.canary.tolist() == [2, 0]
    scrapes = Labels.of(np.array([[0.0, 4]]), np.array([[2.0, 2]]))
    assert (scrapes.canary.tolist(), scrapes.stable.tolist()) == ([[0, 2]], [[1, 1]])
    assert labels.before(scrapes).distance.tolist() == [0]
    assert labels.before(scrapes).plus(scrapes).distance.tolist() == [0.4]


def test_labels_that_change_for_both_arms_are_not_apart_whatever_the_weights() -> None:
    """At night other texts come, while the canary has another weight: totals differ."""
    day, night = np.array([90.0, 10]), np.array([20.0, 80])
    canary, stable = np.stack([day * 0.05, night]), np.stack([day, night * 0.05])
    scrapes = Labels.of(canary, stable)
    apart = Labels.begin((2,)).before(scrapes).plus(scrapes).distance
    assert apart.tolist() == pytest.approx([0, 0])
    totals = Labels(canary.sum(axis=0), stable.sum(axis=0))
    assert totals.distance > 0.5
