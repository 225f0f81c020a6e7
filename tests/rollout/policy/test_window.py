"""Hours and weekdays: when the weight may rise, and deadlines that wait for them."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from scripts.rollout.errors import Exit
from scripts.rollout.policy.window import Window
from scripts.rollout.state.state import Phase
from tests.support.worlds import Rollout, policy

OFFICE = Window(days=("mon", "fri"), hours="09:00-17:00", timezone="Europe/Berlin")
NIGHT = Window(days=("mon",), hours="22:00-06:00")
# 2026-11-23 is a Monday.
DAY = '{days: [mon], hours: "09:00-17:00"}'


def _at(day: int, clock: str, zone: str = "Europe/Berlin") -> float:
    hour, minute = map(int, clock.split(":"))
    return datetime(2026, 11, day, hour, minute, tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("day", "clock", "opens"),
    [
        (23, "08:59", (23, "09:00")),
        (23, "09:00", None),
        (23, "16:59", None),
        (23, "17:00", (27, "09:00")),
        (25, "12:00", (27, "09:00")),
        (28, "12:00", (30, "09:00")),
    ],
)
def test_it_opens_on_its_days_at_its_hours_there(
    day: int, clock: str, opens: tuple[int, str] | None
) -> None:
    now = _at(day, clock)
    assert OFFICE.is_open(now) == (opens is None)
    if opens is not None:
        assert OFFICE.opens(now) == _at(*opens)
        assert opens[1] in OFFICE.next_opening(now)


@pytest.mark.parametrize(
    ("day", "clock", "is_open"),
    [
        (23, "21:59", False),
        (23, "22:00", True),
        (24, "05:59", True),
        (24, "06:00", False),
        (24, "23:00", False),
    ],
)
def test_it_may_go_past_midnight(day: int, clock: str, is_open: bool) -> None:
    assert NIGHT.is_open(_at(day, clock, "UTC")) == is_open


def test_a_day_with_a_change_of_clocks_has_its_own_length() -> None:
    window = Window(hours="00:00-12:00", timezone="Europe/Berlin")
    zone = ZoneInfo("Europe/Berlin")
    start = datetime(2026, 3, 29, 0, 0, tzinfo=zone).timestamp()
    assert window.open_s(start, start + 86400) == 11 * 3600 + 3600


def test_seconds_are_counted_only_while_it_is_open() -> None:
    monday, friday = _at(23, "16:00"), _at(27, "10:00")
    assert OFFICE.open_s(monday, friday) == 2 * 3600
    assert OFFICE.open_s(_at(25, "10:00"), _at(26, "10:00")) == 0


def _at_the_end_of_monday() -> Rollout:
    rollout = Rollout.begun(policy(window=DAY))
    clock = _at(23, "16:58", "UTC")
    rollout.state = rollout.state.changed(
        now=clock, began=clock, entered=clock, heard=clock, was_ready=clock
    )
    rollout.until(Phase.STEP, 5)
    return rollout


def test_the_weight_stays_outside_of_it_and_a_rollback_does_not_wait() -> None:
    rollout = _at_the_end_of_monday()
    rollout.look(seconds=120)
    for _ in range(30):
        rollout.look(seconds=60)
    assert (rollout.state.phase, rollout.state.weight) == (Phase.STEP, 5)
    rollout.look(seconds=60, bad=0.5)
    rollout.until(Phase.ROLLED_BACK)


def test_deadlines_wait_for_it_as_long_as_it_takes() -> None:
    rollout = _at_the_end_of_monday()
    rollout.look(seconds=6 * 86400 + 16 * 3600)
    assert rollout.state.verdict is None
    rollout.until(Phase.PROMOTED)
    assert rollout.state.verdict is Exit.PROMOTED
