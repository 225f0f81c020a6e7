"""What a gate has not bet yet, and what it forgets: a late bet is an e-value too."""

from dataclasses import replace
from itertools import product
from math import comb, prod

import numpy as np
import pytest

from scripts.rollout.evidence import processes
from scripts.rollout.evidence.evidence import Design, Evidence
from scripts.rollout.evidence.two_sample import Counts
from tests.support.worlds import design

SCRAPES = list(product(range(3), range(3)))


def _begun(chosen: Design, lost: float) -> Evidence:
    """Evidence whose bets have lost all but `lost` of what they were worth."""
    begun = Evidence.begin(chosen, np.array([0.5]), np.array([50.0]))
    logs = begun.gates.logs + np.log(lost)
    return replace(begun, gates=replace(begun.gates, logs=logs))


def _look(chosen: Design, found: Evidence, scrape: tuple[int, int]) -> Evidence:
    x, y = (np.array([[float(each)]]) for each in scrape)
    counts = Counts(x, np.full((1, 1), 2.0), y, np.full((1, 1), 2.0))
    (after,) = found.update(chosen, counts, np.ones(1), np.array(50.0), [False])
    return after


def _chance(k: int, rate: float) -> float:
    return comb(2, k) * rate**k * (1 - rate) ** (2 - k)


@pytest.mark.parametrize("lost", [1.0, 0.021, 1e-3])
@pytest.mark.parametrize("stable", [0.1, 0.4])
def test_a_gate_that_bets_its_reserve_is_worth_no_more_on_average(
    lost: float, stable: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every outcome of three scrapes; bets begin anew within them, and forget."""
    monkeypatch.setattr(processes, "SURPRISE", 1.0)
    chosen, total, anew = design(budget=0.1), 0.0, 0
    begun = _begun(chosen, lost)
    before = float(begun.gates.value[0, 0])
    for scrapes in product(SCRAPES, repeat=3):
        found = begun
        for scrape in scrapes:
            found = _look(chosen, found, scrape)
        chance = prod(_chance(x, stable + 0.1) * _chance(y, stable) for x, y in scrapes)
        anew += float(found.gates.reserve[0, 0]) < processes.RESERVE
        total += chance * float(found.gates.value[0, 0])
    assert 0.3 * before < total <= before * (1 + 1e-12)
    assert anew or lost == 1


def test_an_incident_is_forgotten_in_the_scrape_that_ends_it() -> None:
    bad = np.array([1.0, 1.0, 125.0, 125.0, 1.0, 1.0, 1.0])[:, None]
    n = np.full_like(bad, 250.0)
    start = (np.array([10.0]), np.array([2000.0]))
    _, (seen, of) = processes.remembered(*start, bad, n, np.ones(1))
    rates = (seen / of)[:, 0]
    assert rates[1] < 0.006
    assert rates[2:4].min() > 0.35
    assert rates[5:].max() < 0.06


def test_a_scrape_of_clusters_is_no_surprise_where_they_are_known() -> None:
    start = (np.array([20.0]), np.array([2000.0]))
    scrape = (np.array([[16.0]]), np.array([[250.0]]))
    kept = [
        float(processes.remembered(*start, *scrape, np.array([phi]))[1][1][0, 0])
        for phi in (1.0, 4.0)
    ]
    assert kept == [300.0, 2000.0]
