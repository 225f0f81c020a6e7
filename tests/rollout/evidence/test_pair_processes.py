"""Pairs and users apart: what opens the last gate, and what rolls back."""

from itertools import product

import numpy as np
import numpy.typing as npt
import pytest

from scripts.rollout.evidence.arrays import Array
from scripts.rollout.evidence.evidence import Design, Evidence
from scripts.rollout.evidence.pairs.paired import PairCounts
from scripts.rollout.evidence.processes import GATE_BETS
from scripts.rollout.evidence.two_sample import Counts
from tests.support.worlds import design

PHI = np.ones(1)


def _begun(chosen: Design, rollouts: tuple[int, ...] = ()) -> Evidence:
    shape = (*rollouts, 1)
    bad, n = np.full(shape, 25.0), np.full(shape, 5000.0)
    return Evidence.begin(chosen, bad, n, has_pairs=True)


def _pairs(*columns: float) -> PairCounts:
    return PairCounts(*(np.array([each]) for each in columns))


def _with_pairs(
    found: Evidence, chosen: Design, *columns: float, weight: float = 0.0
) -> Evidence:
    at = np.array(weight)
    return found.with_pairs(chosen, _pairs(*columns), chosen.limit, PHI, at)


def _with_users(
    found: Evidence, chosen: Design, *columns: float, weight: float = 50.0
) -> Evidence:
    counts = Counts(*(np.array([[each]]) for each in columns))
    return found.update(chosen, counts, PHI, np.array(weight), [False])[0]


@pytest.mark.parametrize("stands", [False, True])
def test_the_last_gate_opens_by_users_alone_unless_pairs_stand_for_them(
    stands: bool,
) -> None:
    chosen = design(steps=(5, 50), stands=stands)
    found = _begun(chosen)
    for _ in range(3):
        found = _with_pairs(found, chosen, 5, 5, 0, 5000, weight=50.0)
    assert found.opens(chosen).tolist() == [True, stands]
    for _ in range(3):
        found = _with_users(found, chosen, 5, 2500, 5, 2500)
    assert found.opens(chosen).all()


def test_good_pairs_never_hide_what_users_meet() -> None:
    """The rollback takes the mean of the users' evidence and the pairs'."""
    chosen = design()
    alone = pairs = _begun(chosen)
    for _ in range(10):
        alone = _with_users(alone, chosen, 20, 500, 2, 500)
        pairs = _with_pairs(pairs, chosen, 1, 1, 0, 5000)
        pairs = _with_users(pairs, chosen, 20, 500, 2, 500)
    by_users = alone.worse.value[0]
    assert by_users > 1e6
    assert pairs.against()[0] == pytest.approx(by_users / 2, rel=1e-6)


def test_a_request_and_its_pair_are_never_multiplied() -> None:
    """They may share their fate: only a mean holds under any dependence."""
    chosen = design(steps=(25, 50))
    both = _with_users(_begun(chosen), chosen, 20, 500, 2, 500)
    both = _with_pairs(both, chosen, 18, 0, 0, 500)
    assert both.pairs is not None
    users, pairs = both.worse.value[0], both.pairs.value[0]
    assert min(users, pairs) > 10
    assert both.against()[0] == pytest.approx((users + pairs) / 2)
    good = _with_users(_begun(chosen), chosen, 2, 400, 2, 400, weight=25.0)
    users = good.gates.value[0, 0]
    good = _with_pairs(good, chosen, 2, 2, 0, 400, weight=25.0)
    assert good.pairs is not None
    pairs = np.exp(good.pairs.gate_logs[0, 0]) @ GATE_BETS
    assert min(users, pairs) > 1
    assert good.for_gates(chosen)[0, 0] == pytest.approx((users + pairs) / 2)


def test_pairs_alone_roll_back_what_no_user_has_met() -> None:
    chosen = design()
    found = _begun(chosen)
    for _ in range(2):
        found = _with_pairs(found, chosen, 10, 0, 0, 10)
    assert found.must_roll_back(chosen)


def test_pairs_count_for_a_gate_from_the_weight_at_which_users_do() -> None:
    """Load is part of what a gate is about, and pairs are asked under it."""
    chosen = design(steps=(5, 50), stands=True)
    found = _begun(chosen)
    for _ in range(3):
        found = _with_pairs(found, chosen, 5, 5, 0, 5000, weight=5.0)
    assert found.opens(chosen).tolist() == [True, False]


def test_what_fails_in_both_arms_is_no_evidence() -> None:
    chosen = design()
    found = _begun(chosen)
    for _ in range(20):
        found = _with_pairs(found, chosen, 0, 0, 400, 500)
    assert found.sum_against(chosen) <= 1


@pytest.mark.parametrize("limit", [np.nan, 0.3])
def test_the_mean_over_two_scrapes_is_at_most_one_where_the_canary_is_as_good(
    limit: float,
) -> None:
    """Every outcome of twice three pairs: the second bet knows the first scrape."""
    chosen, chances = design(), {(1, 0): 0.3, (0, 1): 0.3, (0, 0): 0.4}
    limits = np.array([limit])
    first: dict[tuple[int, int], float] = {}
    for outcome in product(chances, repeat=3):
        counted = sum(a for a, _ in outcome), sum(b for _, b in outcome)
        chance = float(np.prod([chances[each] for each in outcome]))
        first[counted] = first.get(counted, 0.0) + chance
    mean = 0.0
    for (one, p), (two, q) in product(first.items(), repeat=2):
        found = _begun(chosen)
        for canary, stable in (one, two):
            counts = _pairs(canary, stable, 0, 3)
            found = found.with_pairs(chosen, counts, limits, PHI, np.array(0.0))
        mean += p * q * float(found.against()[0])
    assert 0.5 < mean <= 1 + 1e-9


def _drawn(random: np.random.Generator, weight: Array, users: float) -> Counts:
    """Draw two seconds of 50 requests/s; the canary has `users` more errors."""
    n = random.poisson(np.stack([weight, 100 - weight], axis=-1))
    bad = random.binomial(n, np.array([0.005 + users, 0.005]))
    columns = (bad[:, 0], n[:, 0], bad[:, 1], n[:, 1])
    return Counts(*(each[None, :, None].astype(float) for each in columns))


def _drawn_pairs(
    random: np.random.Generator, asked: npt.NDArray[np.int64], first: float
) -> PairCounts:
    """Draw outcomes of pairs; by lot either arm is the `first` to fail more often."""
    alone, both = 0.005 * 0.995 + first / 2, 0.005**2
    cells = random.multinomial(asked, [alone, alone, both, 1 - 2 * alone - both])
    columns = (*cells.T[:3], asked)
    return PairCounts(*(each[:, None].astype(float) for each in columns))


def _rollouts(
    users: float, pairs_per_s: float, *, stands: bool = False, first: float = 0.0
) -> tuple[float, float, float]:
    """Simulate 1,000 rollouts over 0, 25 and 50 %, with a look each two seconds.

    Returns the shares that passed the last gate and that were rolled back, and the
    median of the minutes to the gate.
    """
    random, size = np.random.default_rng(8), 1000
    chosen, phi = (
        design(budget=0.005, steps=(0, 25, 50), stands=stands),
        np.ones((1, 1)),
    )
    found, step = _begun(chosen, (size,)), np.zeros(size, dtype=np.int64)
    passed, back = np.full(size, np.nan), np.zeros(size, dtype=bool)
    for look in range(1, 450):
        weight = chosen.steps[step]
        counts, is_new = _drawn(random, weight, users), look % 30 == 0
        (found,) = found.update(chosen, counts, phi, weight, [is_new])
        pairs = _drawn_pairs(random, random.poisson(2 * pairs_per_s, size), first)
        found = found.with_pairs(chosen, pairs, chosen.limit, phi, weight)
        back |= np.isnan(passed) & found.must_roll_back(chosen)
        opens = found.opens(chosen)
        through = np.isnan(passed) & ~back & (step == 2) & opens[:, 2]
        passed[through] = look / 30
        step += (step < 2) & opens[np.arange(size), np.minimum(step, 1)]
    is_passed = ~np.isnan(passed)
    took = np.where(is_passed, passed, np.inf)
    return float(is_passed.mean()), float(back.mean()), float(np.median(took))


@pytest.mark.parametrize("pairs_per_s", [10.0, 50.0])
def test_harm_that_only_users_meet_is_promoted_as_seldom_as_without_pairs(
    pairs_per_s: float,
) -> None:
    """beta is 5 %; where pairs and users were one, 19 and 94 % passed."""
    passed, _, _ = _rollouts(0.005, pairs_per_s)
    assert passed <= 0.06
    passed, _, _ = _rollouts(0.01, pairs_per_s)
    assert passed <= 0.01


def test_a_cache_that_helps_whoever_is_second_rolls_nothing_back() -> None:
    """+2 % for whoever is asked first: half the pairs each; 98 % were rolled back."""
    passed, back, _ = _rollouts(0.0, 10.0, first=0.02)
    assert back <= 0.01
    assert passed >= 0.99


def test_pairs_that_stand_for_users_are_fast_and_others_cost_nothing() -> None:
    """Minutes to the last gate; one metric."""
    apart, stands = _rollouts(0.0, 50.0), _rollouts(0.0, 50.0, stands=True)
    assert apart[2] < 1.9
    assert stands[2] < 0.8
