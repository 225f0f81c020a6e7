"""Steps chosen from the traffic, and the time they are expected to take."""

from dataclasses import replace

import numpy as np
import pytest

from scripts.rollout.cli import forecast
from scripts.rollout.decision import measurement
from scripts.rollout.errors import PolicyError
from scripts.rollout.evidence.evidence import Evidence
from scripts.rollout.evidence.forecast import ladder
from scripts.rollout.evidence.forecast.ladder import Traffic
from tests.support.worlds import policy

TWO = "[{name: errors, budget: 0.5%, weight: 3}, {name: latency, slo: 1s, budget: 1%}]"
AUTO = policy(metrics=TWO, steps="auto", dwell="10s")
FIXED = policy(metrics=TWO, steps="[5, 10, 25, 50]", dwell="30s")
BAD = np.array([0.005, 0.01])


def _traffic_of(metrics: int, rps: float) -> Traffic:
    return Traffic(rps, np.full(metrics, 0.01), np.ones(metrics))


def _traffic(rps: float, phi: float = 1.0) -> Traffic:
    return Traffic(rps, BAD, np.full(2, phi))


@pytest.mark.parametrize(
    ("rps", "percent"), [(50, 5), (500, 1), (5000, 1), (10, 25), (0.1, 25)]
)
def test_the_first_step_costs_few_answers_until_a_broken_canary_is_seen(
    rps: float, percent: int
) -> None:
    assert ladder.first_step(rps, 10) == percent


@pytest.mark.parametrize("rps", [1, 50, 3000])
def test_chosen_steps_are_the_fastest_of_all_ladders(rps: float) -> None:
    one = measurement.design(AUTO, (1,))
    traffic = _traffic(rps)

    def total(steps: tuple[int, ...]) -> float:
        design = ladder.with_steps(one, steps)
        return ladder.total_s(ladder.forecast(design, traffic, 10, 10, skips=True))

    chosen = ladder.choose(one, traffic, [10], 10).steps
    ladders = ladder.ladders(ladder.first_step(rps, 10))
    shortest = min(map(total, ladders))
    assert total(chosen) <= max(shortest * 1.05, shortest + 10)
    assert list(chosen) == sorted(set(chosen))
    assert chosen[-1] == 50


@pytest.mark.parametrize(
    ("rps", "steps", "interval"),
    [
        (1, (25, 50), 30),
        (10, (25, 50), 10),
        (50, (25, 50), 2),
        (1000, (2, 50), 1),
        (20_000, (1, 50), 0.2),
    ],
)
def test_looks_are_chosen_with_the_first_step(
    rps: float, steps: tuple[int, ...], interval: float
) -> None:
    """A broken canary costs 25 answers a look, or 1 % of the shortest look."""
    looks = measurement.looks(
        policy(metrics=TWO, steps="auto", dwell="0s"), _traffic(rps)
    )
    assert (looks.steps[0], looks.steps[-1], looks.interval) == (
        steps[0],
        steps[-1],
        interval,
    )
    bad = rps * looks.interval * looks.steps[0] / 100
    assert bad <= max(25, rps * 0.2 / 100)


def test_an_interval_may_be_chosen_for_steps_that_are_given() -> None:
    given = policy(metrics=TWO, steps="[5, 50]", source="{interval: auto}")
    assert measurement.looks(given, _traffic(50)).interval == 10
    assert measurement.looks(given, _traffic(1000)).interval == 0.5
    assert measurement.looks(FIXED, _traffic(1000)).interval == 10


def test_a_prometheus_is_looked_at_no_faster_than_it_scrapes() -> None:
    source = '{prometheus: "http://p:9090"}'
    looks = measurement.looks(policy(steps="auto", source=source), _traffic_of(3, 50))
    assert looks.interval == 10


def test_at_fifty_requests_a_second_the_bar_is_met_on_the_mean_path() -> None:
    found = forecast.forecast(AUTO, _traffic(50))
    assert found["secondsToLastGate"] <= 3.5 * 60
    fixed = forecast.forecast(FIXED, _traffic(50))
    assert 3 * 60 < fixed["secondsToLastGate"] < 5 * 60


def test_clusters_of_four_take_four_times_as_long_and_little_traffic_hours() -> None:
    design = measurement.design(FIXED, (50,))
    alone, clustered, slow = (
        ladder.total_s(ladder.forecast(design, traffic, 10, 30, skips=False))
        for traffic in (_traffic(50), _traffic(50, 4), _traffic(1))
    )
    assert clustered == pytest.approx(4 * alone, rel=0.25)
    assert slow == pytest.approx(50 * alone, rel=0.25)


def test_a_forecast_goes_on_from_the_evidence_there_is() -> None:
    design = measurement.design(FIXED, (5, 50))
    evidence = Evidence.begin(design, BAD * 50, np.full(2, 50.0))
    fresh = ladder.forecast(design, _traffic(50), 10, 30, skips=False)
    later = ladder.forecast(
        design, _traffic(50), 10, 30, skips=False, evidence=evidence, step=1
    )
    assert [stay.weight for stay in later] == [50]
    assert later[0].seconds == pytest.approx(fresh[1].seconds, abs=10)


def test_no_traffic_never_opens_a_gate() -> None:
    stays = ladder.forecast(
        measurement.design(FIXED, (5, 50)), _traffic(0), 10, 30, skips=False
    )
    assert [stay.seconds for stay in stays] == [None]
    assert ladder.total_s(stays) == float("inf")


def test_simulated_canaries_as_good_as_the_stable_are_kept() -> None:
    assert forecast.forecast(FIXED, _traffic(50))["falseAlarms"] in (
        "0 of 200",
        "1 of 200",
    )
    unsafe = replace(measurement.design(FIXED, (50,)), alpha=0.5)
    stays = [ladder.Stay(50, 3600.0)]
    assert ladder.false_alarms(unsafe, _traffic(50), stays, 10) > 10


def test_impossible_budgets_are_answered_by_possible_ones() -> None:
    tight = policy(metrics=TWO.replace("0.5%", "0.01%"))
    assert "errors 0.0" in forecast.wider(tight, _traffic(50))
    assert "more requests are needed" in forecast.wider(tight, _traffic(0.001))


def test_what_is_told_is_checked_against_the_policy() -> None:
    given = forecast.assume_traffic(FIXED, 50, {"errors": 0.002})
    assert given.bad.tolist() == [0.002, 0.01]
    with pytest.raises(
        PolicyError, match="no metric 'error'; known are errors, latency"
    ):
        forecast.assume_traffic(FIXED, 50, {"error": 0.1})


def test_pairs_make_a_plan_no_slower_and_begin_at_zero() -> None:
    with_pairs = policy(shadow="{share: 20%}", steps="auto")
    without = policy(steps="auto")
    found = [
        forecast.forecast(each, forecast.assume_traffic(each, 50.0, {}))
        for each in (without, with_pairs)
    ]
    assert (found[1]["steps"][0], found[0]["steps"][0] > 0) == (0, True)
    slow, fast = (each["secondsToLastGate"] for each in found)
    assert fast <= slow
