"""KServe's scenarios (kserve-facts 3.1) end to end; the row is in each test's name."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.support.backends import (
    Backend,
    answered,
    broken,
    intent,
    local,
    predictor,
    settles,
)
from tests.support.site import site

Place = Callable[[Path], AbstractContextManager[Backend]]
BACKENDS: dict[str, Place] = {"local": local, "cluster": site}


@pytest.fixture
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    with BACKENDS[request.config.getoption("--backend")](tmp_path) as running:
        yield running


@pytest.fixture
def stable(backend: Backend) -> Backend:
    """v1 rolled out in full."""
    backend.apply(intent("v1"))
    settles(backend, [("1", 100)], created="1")
    return backend


@pytest.fixture
def canary(stable: Backend) -> Backend:
    """v2 beside it, on ten percent."""
    stable.apply(intent("v2", 10))
    settles(stable, [("2", 10), ("1", 90)], created="2")
    return stable


def test_s1_a_percent_on_the_first_deploy_splits_one_revision(backend: Backend) -> None:
    backend.apply(intent("v1", 10))
    status = settles(backend, [("1", 10), ("1", 90)], created="1")
    assert predictor(status)["latestRolledoutRevision"][-1] == "1"
    assert answered(backend) == {"1": 40}


def test_s2_removing_the_field_promotes(canary: Backend) -> None:
    canary.patch(None)
    status = settles(canary, [("2", 100)], created="2")
    assert predictor(status)["latestRolledoutRevision"][-1] == "2"
    assert predictor(status)["previousRolledoutRevision"][-1] == "1"
    assert answered(canary) == {"2": 40}


def test_s3_100_promotes_and_removing_it_later_changes_nothing(canary: Backend) -> None:
    canary.patch(100)
    before = settles(canary, [("2", 100)], created="2")
    canary.patch(None)
    after = settles(canary, [("2", 100)], created="2")
    assert predictor(after) == predictor(before)
    assert after["observedGeneration"] == before["observedGeneration"]


def test_s4_0_rolls_back_and_keeps_the_canary_reachable_by_tag(canary: Backend) -> None:
    canary.patch(0)
    status = settles(canary, [("2", 0), ("1", 100)], created="2")
    assert predictor(status)["latestRolledoutRevision"][-1] == "1"
    assert answered(canary) == {"1": 40}
    assert answered(canary, tag="latest-") == {"2": 40}
    assert answered(canary, tag="prev-") == {"1": 40}


def test_s5_0_after_a_promotion_goes_back_without_a_failed_request(
    canary: Backend,
) -> None:
    canary.patch(None)
    settles(canary, [("2", 100)], created="2")
    canary.patch(0)
    answered(canary)
    status = settles(canary, [("2", 0), ("1", 100)], created="2")
    assert predictor(status)["latestRolledoutRevision"][-1] == "1"
    assert answered(canary) == {"1": 40}


def test_s6_reapplying_v1_without_the_field_gives_v2_everything_meanwhile(
    canary: Backend,
) -> None:
    canary.apply(intent("v1"))
    settles(canary, [("2", 100)], created="3", is_ready="Unknown")
    assert answered(canary) == {"2": 40}
    status = settles(canary, [("3", 100)], created="3")
    assert predictor(status)["previousRolledoutRevision"][-1] == "2"


def test_s7_the_safe_way_back_never_shows_v2_again(canary: Backend) -> None:
    canary.patch(0)
    settles(canary, [("2", 0), ("1", 100)], created="2")
    canary.apply(intent("v1", 0))
    assert "2" not in answered(canary)
    settles(canary, [("3", 0), ("1", 100)], created="3")
    canary.patch(None)
    settles(canary, [("3", 100)], created="3")
    assert answered(canary) == {"3": 40}


def test_s8_a_canary_that_never_starts_gets_nothing_and_says_why(
    stable: Backend,
) -> None:
    stable.apply(broken(10))
    split = [("1", 10), ("1", 90)]
    settles(stable, split, created="2", is_ready="False", says="models/v9")
    assert answered(stable) == {"1": 40}
    stable.patch(0)
    settles(stable, [("1", 0), ("1", 100)], created="2", is_ready="False")
    stable.apply(intent("v2", 10))
    settles(stable, [("3", 10), ("1", 90)], created="3")


def test_s9_a_third_version_lets_v2_have_its_percent_until_it_is_ready(
    canary: Backend,
) -> None:
    canary.apply(intent("v1", 20, EXTRA="third"))
    settles(canary, [("2", 20), ("1", 80)], created="3", is_ready="Unknown")
    settles(canary, [("3", 20), ("1", 80)], created="3")


def test_s10_a_percent_after_a_promotion_means_back(canary: Backend) -> None:
    canary.patch(None)
    settles(canary, [("2", 100)], created="2")
    canary.patch(10)
    status = settles(canary, [("2", 10), ("1", 90)], created="2")
    assert predictor(status)["latestRolledoutRevision"][-1] == "1"


def test_s13_a_third_version_after_a_rollback_exposes_v2_again(canary: Backend) -> None:
    canary.patch(0)
    settles(canary, [("2", 0), ("1", 100)], created="2")
    canary.apply(intent("v1", 20, EXTRA="third"))
    settles(canary, [("2", 20), ("1", 80)], created="3", is_ready="Unknown")
    settles(canary, [("3", 20), ("1", 80)], created="3")


def test_s14_deleting_the_field_after_a_rollback_promotes(canary: Backend) -> None:
    canary.patch(0)
    settles(canary, [("2", 0), ("1", 100)], created="2")
    canary.patch(None)
    settles(canary, [("2", 100)], created="2")
    assert answered(canary) == {"2": 40}
