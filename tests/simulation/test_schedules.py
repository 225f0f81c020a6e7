"""The whole promoter through 500 schedules of faults; each bug is a named seed."""

from functools import cache

import pytest

from tests.simulation import promises
from tests.simulation.simulation import Result, run

PARTS, SIZE = 10, 50


@cache
def _ran(part: int) -> list[Result]:
    return [run(seed) for seed in range(part * SIZE, (part + 1) * SIZE)]


# Seeds that were broken by bugs since mended, and their mutants: make mutants.
BUGS = {
    "a revision that came after a promotion was rolled back for ever": 1406,
    "a third revision got the weight that the second had earned": 314,
    "a third revision was raised while the status still named the second": 197,
    "a promotion ordered while a hand had the percent waited for it for ever": 1942,
    "the same, where a controller had put its percent back": 2025,
    "a promoter whose writes were all sent twice took itself for another": 2332,
    "a third revision that was there before the first look got the weight": 2637,
    "a promoter ended at a weight that no request to the API had set": 9750,
    "the first look saw a revision older than the template": 13015,
    "a third revision got the weight that a killed promoter had left to be set": 8790,
    "a free Lease whose writes conflict was said to be another promoter's": 18880,
    "a pod whose page was slow was taken for new when the clock jumped": 3033,
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("bug", BUGS)
def test_each_bug_stays_mended(bug: str) -> None:
    assert run(BUGS[bug]).broken == []


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(PARTS))
def test_no_fault_breaks_a_promise(part: int) -> None:
    found = [each for result in _ran(part) for each in result.broken]
    assert found == [], f"make soak SEED=n shows one of {part * SIZE} and the next"


@pytest.mark.timeout(600)
def test_faults_roll_back_no_more_good_canaries_and_promote_no_more_bad_ones() -> None:
    results = [each for part in range(PARTS) for each in _ran(part)]
    assert promises.broken(results) == []
    seen = {kind for each in results for kind in each.faults}
    assert len(seen) > 30
    outcomes = {each.outcome for each in results}
    assert outcomes >= {"Promoted", "RolledBack", "Held", "Aborted", "Superseded"}


def test_the_same_seed_is_the_same_run() -> None:
    for seed in (3, 4, 5):
        assert run(seed).digest == run(seed).digest
    assert run(3).digest != run(4).digest
