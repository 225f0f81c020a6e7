"""The e-values: equal to the oracle's, at most one on average, never NaN."""

import json
import math
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.local.processes import ROOT
from scripts.rollout.evidence import mixture, one_sample, processes
from scripts.rollout.evidence.arrays import Array
from scripts.rollout.evidence.evidence import Evidence
from scripts.rollout.evidence.mixture import Mixture
from scripts.rollout.evidence.two_sample import (
    Bets,
    Counts,
    log_e,
)
from scripts.rollout.journal import codec
from tests.support.worlds import design, evidence

ORACLE: dict[str, Any] = json.loads(
    (ROOT / "tests" / "data" / "evidence_oracle.json").read_text()
)
RATES = (0.0, 0.001, 0.01, 0.05, 0.3, 0.9, 1.0)


def _counts(*values: float) -> Counts:
    return Counts(*(np.array([float(value)]) for value in values))


def _bets(sign: int, margin: float, canary: float, stable: float) -> Bets:
    return Bets(*(np.array([float(each)]) for each in (sign, margin, canary, stable)))


def _log_e(counts: tuple[float, ...], sign: int, margin: float, *rates: float) -> float:
    return float(log_e(_counts(*counts), _bets(sign, margin, *rates))[0, 0])


def test_a_bet_is_worth_what_the_oracle_says() -> None:
    for *counts, margin, sign, canary, stable, expected in ORACLE["bets"]:
        found = _log_e(tuple(counts), sign, margin, canary, stable)
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.fixture
def _as_the_oracle(monkeypatch: pytest.MonkeyPatch) -> None:
    """It weighs all bets alike and knows no cap; the weights are tuned, not proved."""
    alike = np.full(len(processes.EXCESSES), 1 / len(processes.EXCESSES))
    monkeypatch.setattr(processes, "EXCESS_WEIGHTS", alike)
    monkeypatch.setattr(processes, "GATE_BETS", np.array([0.5, 0.5]))
    monkeypatch.setattr(processes, "ENOUGH", math.inf)
    monkeypatch.setattr(processes, "MEMORY", math.inf)
    monkeypatch.setattr(processes, "SURPRISE", math.inf)
    monkeypatch.setattr(processes, "RESERVE", 0.0)
    monkeypatch.setattr(processes, "LARGEST_PART", 1.0)
    monkeypatch.setattr(mixture, "WHOLE", 0.5)


@pytest.mark.usefixtures("_as_the_oracle")
@pytest.mark.parametrize("path", ORACLE["worse"], ids=lambda p: f"phi{p['phi']:.0f}")
def test_rollback_evidence_follows_the_oracle(path: dict[str, Any]) -> None:
    found = evidence(design(path["tolerance"]), path["scrapes"], phi=path["phi"])
    values = [float(each.worse.value[0]) for each in found]
    assert values == pytest.approx(path["values"], rel=1e-9)


@pytest.mark.usefixtures("_as_the_oracle")
@pytest.mark.parametrize("path", ORACLE["fine"], ids=lambda p: f"margin{p['margin']}")
def test_gate_evidence_follows_the_oracle(path: dict[str, Any]) -> None:
    chosen = design(budget=path["margin"])
    found = evidence(chosen, path["scrapes"], phi=path["phi"], known=(2.0, 300.0))
    values = [float(each.gates.value[0, 0]) for each in found]
    assert values == pytest.approx(path["values"], rel=1e-9)


def test_many_scrapes_at_once_are_the_same_as_one_by_one() -> None:
    path, chosen = ORACLE["worse"][1], design(steps=(5, 50))
    together = evidence(chosen, path["scrapes"], phi=2.0)
    alone = Evidence.begin(chosen, np.array([0.5]), np.array([50.0]))
    for number, (scrape, expected) in enumerate(
        zip(path["scrapes"], together, strict=True)
    ):
        counts = Counts(*np.array([scrape], dtype=float).T[..., None])
        new = [number % 6 == 5]
        (alone,) = alone.update(chosen, counts, np.array([2.0]), np.array(50.0), new)
        assert codec.encode(alone) == codec.encode(expected)


@pytest.mark.parametrize("weights", [processes.EXCESS_WEIGHTS, processes.GATE_BETS])
def test_weights_of_bets_add_up_to_one(weights: Array) -> None:
    assert weights.min() > 0
    assert weights.sum() == pytest.approx(1, abs=1e-12)


def test_good_minutes_do_not_pay_for_later_bad_ones() -> None:
    """The cap: a day of good looks is worth no more than a few minutes of them."""
    good, bad = [(0, 250, 2, 250)], [(12, 250, 2, 250)]
    chosen = design()
    short, long = (
        [bool(each.opens(chosen)[0]) for each in evidence(chosen, good * n + bad * 20)]
        for n in (20, 8640)
    )
    assert (short[19], long[8639]) == (True, True)
    assert short[20:] == long[8640:]
    assert not any(long[8643:])


def test_a_cap_only_takes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(7)
    bad = random.binomial(50, (0.01, 0.01), (300, 2))
    scrapes = [(a, 50, b, 50) for a, b in bad]
    capped = evidence(design(), scrapes)
    monkeypatch.setattr(processes, "ENOUGH", math.inf)
    free = evidence(design(), scrapes)
    pairs = [
        (float(a.gates.value[0, 0]), float(b.gates.value[0, 0]))
        for a, b in zip(capped, free, strict=True)
    ]
    assert all(a <= b * (1 + 1e-12) for a, b in pairs)
    assert any(a < b for a, b in pairs)


def _probability(k: int, n: int, rate: float) -> float:
    return math.comb(n, k) * rate**k * (1 - rate) ** (n - k)


@pytest.mark.parametrize(("sign", "margin"), [(1, 0), (1, 0.03), (-1, 0.03), (-1, 0.1)])
def test_the_mean_e_value_is_at_most_one_wherever_its_hypothesis_holds(
    sign: int, margin: float
) -> None:
    """By enumeration, on the boundary and inside; at the start of any bet."""
    n_canary, n_stable, worst = 4, 9, 0.0
    inside = 0.0 if sign > 0 else 0.2
    for stable, excess in product((0.01, 0.05, 0.3), (margin, inside)):
        for bet in product((0.01, 0.1, 0.5, 0.98), (0.01, 0.1, 0.6)):
            total = sum(
                _probability(x, n_canary, stable + excess)
                * _probability(y, n_stable, stable)
                * math.exp(_log_e((x, n_canary, y, n_stable), sign, margin, *bet))
                for x, y in product(range(n_canary + 1), range(n_stable + 1))
            )
            worst = max(worst, total)
    assert 0.9 < worst <= 1 + 1e-12


def test_two_scrapes_on_end_are_still_worth_at_most_one_on_average() -> None:
    """The second bet is made on what the first scrape showed."""
    chosen, first = design(budget=0.1), list(product(range(3), range(4)))
    worse = fine = 0.0
    for (x, y), (u, v) in product(first, first):
        last = evidence(chosen, [(x, 2, y, 3), (u, 2, v, 3)], every=1)[-1]
        alike, harmful = (
            math.prod(
                _probability(k, n, rate)
                for k, n, rate in (
                    *((x, 2, 0.2 + excess), (y, 3, 0.2)),
                    *((u, 2, 0.2 + excess), (v, 3, 0.2)),
                )
            )
            for excess in (0.0, 0.1)
        )
        worse += alike * float(last.worse.value[0])
        fine += harmful * float(last.gates.value[0, 0])
    assert 0.8 < worse <= 1 + 1e-12
    assert 0.8 < fine <= 1 + 1e-12


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.2])
def test_evidence_beyond_a_ceiling_is_worth_at_most_one_below_it(rate: float) -> None:
    total = sum(
        _probability(k, 12, rate)
        * np.exp(one_sample.log_e(0.2, np.array(float(k)), np.array(12.0))).mean()
        for k in range(13)
    )
    assert total <= 1 + 1e-12


@pytest.mark.parametrize("size", [2, 4])
def test_clusters_are_answered_by_the_exponent(size: int) -> None:
    """One outcome a cluster: the e-value to the power of 1/phi still holds."""
    total = sum(
        _probability(x, 3, 0.1)
        * _probability(y, 4, 0.1)
        * math.exp(
            _log_e((size * x, size * 3, size * y, size * 4), 1, 0.0, 0.5, 0.1) / size
        )
        for x, y in product(range(4), range(5))
    )
    assert total <= 1 + 1e-12


@given(
    counts=st.tuples(*[st.integers(0, 10**9)] * 4),
    sign=st.sampled_from((1, -1)),
    margin=st.sampled_from((0.0, 1e-6, 0.005, 0.5, 0.9)),
    rates=st.tuples(st.sampled_from(RATES), st.sampled_from(RATES)),
)
def test_no_counts_give_anything_but_a_number(
    counts: tuple[int, int, int, int],
    sign: int,
    margin: float,
    rates: tuple[float, float],
) -> None:
    k, n, l_, m = counts
    found = _log_e((min(k, n), n, min(l_, m), m), sign, margin, *rates)
    assert math.isfinite(found)
    (mixture,) = Mixture.begin((1,)).over(np.array([[found]]), [True])
    assert 0 <= float(mixture.value(np.ones(1))) < math.inf


@pytest.mark.parametrize("counts", [(0, 0, 3, 100), (3, 100, 0, 0), (0, 0, 0, 0)])
def test_no_requests_in_an_arm_are_no_evidence(counts: tuple[float, ...]) -> None:
    assert _log_e(counts, 1, 0.0, 0.5, 0.1) == 0.0
    assert _log_e(counts, -1, 0.1, 0.5, 0.1) == 0.0


def test_a_regression_after_hours_is_found_as_fast_as_an_early_one() -> None:
    """The start time mixture: good for two hours, then two percent more errors."""
    random = np.random.default_rng(4)
    scrapes = [
        (random.binomial(125, rate), 125, random.binomial(375, 0.005), 375)
        for rate in [0.005] * 720 + [0.025] * 60
    ]
    found = evidence(design(), scrapes)
    values = np.array([float(each.worse.value[0]) for each in found])
    assert 720 < int((values >= 100).argmax()) < 720 + 30
