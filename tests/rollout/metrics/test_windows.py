"""Both arms over the same seconds: carried, never compared askew, flushed, in time."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from scripts.rollout.metrics.port import Reading
from scripts.rollout.metrics.windows import windows
from scripts.rollout.metrics.windows.windows import Bases, Look
from scripts.rollout.state.observation import Delta
from tests.support.worlds import policy

ARMS = ("r-2", "r-1")
POLICY = policy()


def _sample(at: float, rps: float, bad: float) -> dict[str, float]:
    """Counters of a pod with a steady load, as they were at a time."""
    n = rps * at
    counts = {"requests": n, "errors": bad * n, "timed": n, "le:0.25": n}
    return {**counts, "at": at}


def _scraped(time: float, every: float, offset: float) -> float:
    """When a pod was scraped last."""
    return (time - offset) // every * every + offset


def _looks(
    offsets: Sequence[float] = (3, 25), every: float = 30, until: float = 1200
) -> Iterator[Look]:
    """Looks each 10 s at arms of one pod each; the canary has +10 % errors."""
    for time in np.arange(1000.0, 1000.0 + until, 10.0):
        ages = (_scraped(time, every, offset) for offset in offsets)
        rows = zip(ARMS, ages, (25, 25), (0.105, 0.005), strict=True)
        reading: Reading = {
            arm: {arm: _sample(at, rps, bad)} for arm, at, rps, bad in rows
        }
        yield Look(reading, float(time), ARMS)


def _compared(looks: Iterator[Look]) -> list[tuple[float, Delta]]:
    bases: Bases = {}
    found = []
    for look in looks:
        delta, bases = windows.compared(POLICY, bases, look)
        found.append((look.at, delta))
    return found


@pytest.mark.parametrize("offset", [3, 8, 14, 21, 27])
@pytest.mark.parametrize("every", [30, 60])
def test_pods_that_are_scraped_at_other_seconds_are_compared_all_the_same(
    offset: float, every: float
) -> None:
    found = _compared(_looks((0, offset), every))
    rows = [delta.metrics["errors"] for _, delta in found if not delta.is_carried]
    counted = [row for row in rows if row[1] and row[3]]
    assert len(counted) >= 2
    assert sum(row[1] for row in counted) > 0.5 * 25 * 1200
    for bad, n, stable_bad, stable_n in counted:
        assert bad / n == pytest.approx(0.105)
        assert stable_bad / stable_n == pytest.approx(0.005)
        assert n / stable_n == pytest.approx(1, abs=windows.PART)


def test_where_nothing_can_be_compared_yet_it_is_said_how_far_apart_they_are() -> None:
    delta = _compared(_looks())[3][1]
    assert delta.is_apart
    assert delta.apart_s in (8, 22)
    assert delta.metrics["errors"] == (0, 0, 0, 0)


def test_arms_that_are_read_together_are_compared_at_every_look() -> None:
    found = _compared(_looks((0.5, 0), every=1))
    assert all(delta.metrics["errors"][1] == 250 for _, delta in found[1:])
    assert all(delta.seconds == 10 for _, delta in found[1:])


def test_a_look_between_two_scrapes_takes_the_one_before_of_the_other() -> None:
    """Scraped half a second apart, each ten seconds; the look comes in between."""
    found = _compared(_looks((0, 0.5), every=10))
    assert all(delta.metrics["errors"][1] == 250 for _, delta in found[4:])


def test_one_arm_alone_waits_for_the_other() -> None:
    """A request each 100 s in one arm, each 10 s in the other: none of them is lost."""
    bases: Bases = {}
    total = [0.0, 0.0]
    for time in range(1000, 3000, 10):
        counts = (time // 100, time // 10)
        reading: Reading = {
            arm: {arm: {"requests": float(n), "errors": 0.0, "at": float(time)}}
            for arm, n in zip(ARMS, counts, strict=True)
        }
        delta, bases = windows.compared(POLICY, bases, Look(reading, time, ARMS))
        _, canary, _, stable = delta.metrics["errors"]
        assert bool(canary) == bool(stable)
        total[0], total[1] = total[0] + canary, total[1] + stable
    assert total == [19, 190]


def test_a_change_of_weight_throws_away_what_was_counted_before_it() -> None:
    bases: Bases = {}
    for look in _looks(until=200):
        weighed = 1100.0 if look.at > 1100 else 0.0
        seen = Look(look.reading, look.at, ARMS, weighed)
        before, (delta, bases) = bases, windows.compared(POLICY, bases, seen)
        if weighed and delta.metrics["errors"][1]:
            starts = [s["at"] for s in before["traffic"].reading["r-2"].values()]
            assert min(starts) >= weighed - windows.PART * delta.seconds


def test_an_incident_of_both_arms_is_no_difference() -> None:
    """One that begins between the two reads of a window of ten seconds."""
    for apart in (0.0, 0.9):
        assert abs(_excess(apart)) < 0.05
    assert _excess(5.0) == 0


def _excess(apart: float) -> float:
    """The canary's excess of bad ones in the second of two windows."""
    bases: Bases = {}
    delta = Delta({})
    for time in (1000.0, 1010.0):
        at = {"r-2": time, "r-1": time - apart}
        reading = {
            arm: {
                arm: {
                    "requests": 25 * read,
                    "errors": 25 * max(read - 1008, 0) * 0.5,
                    "at": read,
                }
            }
            for arm, read in at.items()
        }
        delta, bases = windows.compared(POLICY, bases, Look(reading, time, ARMS))
    canary_bad, canary, stable_bad, stable = delta.metrics["errors"]
    return canary_bad / max(canary, 1) - stable_bad / max(stable, 1)


@pytest.mark.parametrize("looks_unread", [1, 3])
def test_the_past_of_a_pod_that_was_there_but_not_read_does_not_count(
    looks_unread: int,
) -> None:
    """Its start looks later than the windows' where a clock jumped, or is another."""

    def looks() -> Iterator[Look]:
        for number, look in enumerate(_looks((0.5, 0), every=1, until=80)):
            slow = {**look.reading["r-1"]["r-1"], "started": 1001.0}
            reading = {**look.reading, "r-1": {"slow": slow, **look.reading["r-1"]}}
            if number < looks_unread:
                yield replace(look, unread=frozenset(["slow"]))
            else:
                yield replace(look, reading=reading)

    found = [delta.metrics["errors"][3] for _, delta in _compared(looks())]
    until = looks_unread + 1
    assert found[1:until] == [250] * looks_unread
    assert found[until:] == [500] * (8 - until)


def test_what_a_gap_holds_has_the_time_of_the_gap() -> None:
    looks = list(_looks((0, 0), every=10, until=300))
    (_, before), (_, after), *_ = _compared(iter([looks[0], looks[29]]))
    assert before.seconds == 0
    assert after.seconds == 290
    assert after.metrics["errors"][1] / after.seconds == 25


def test_labels_that_are_scraped_late_do_not_hold_requests_back() -> None:
    """Requests by one page of both arms, labels by predictors 15 s apart."""
    bases: Bases = {}
    counted = 0.0
    for time in np.arange(1000.0, 1300.0, 10.0):
        reading: dict[str, dict[str, dict[str, float]]] = {}
        for arm, offset in zip(ARMS, (0, 15), strict=True):
            at = _scraped(time, 30, offset)
            page = {"requests": 25 * time, "errors": 0.0, "at": float(time)}
            reading[arm] = {"gateway": page, arm: {"label:x": 25 * at, "at": at}}
        delta, bases = windows.compared(POLICY, bases, Look(reading, time, ARMS))
        counted += delta.metrics["errors"][1]
    assert counted == 25 * 290


def test_a_first_bad_one_or_a_fall_of_a_sum_costs_two_looks_each() -> None:
    """Of a policy's own queries, while the other arm is waited for."""
    own = policy(
        source="{prometheus: 'http://127.0.0.1'}",
        metrics="[{name: errors, budget: 1%}, {name: own, budget: 1%, "
        "promql: {bad: 'b{revision}', total: 't{revision}'}}]",
    )
    bases: Bases = {}
    counted = 0.0
    for number in range(20):
        at = 1000.0 + 10 * number
        n = 100.0 * number - (450.0 if number > 12 else 0.0)
        canary = {"total:own": n, "at": at}
        if number > 5:
            canary["bad:own"] = 10.0 * number
        stable = {"total:own": 100.0 * number, "at": at}
        reading: Reading = {"r-2": {"sum": canary}, "r-1": {"sum": stable}}
        delta, bases = windows.compared(own, bases, Look(reading, at, ARMS))
        counted += delta.metrics["own"][1]
    assert counted >= 1500
