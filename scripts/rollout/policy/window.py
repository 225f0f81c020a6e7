"""The hours and weekdays in which the weight may rise. Pure."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from scripts.rollout.policy.values import Part

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


def _hours(value: str) -> str:
    match = HOURS.fullmatch(value)
    if match is None or match[1] + match[2] == match[3] + match[4]:
        raise ValueError(f'expected hours such as "09:00-17:00", got {value!r}')
    return value


def _timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        expected = "expected a time zone such as UTC or Europe/Berlin"
        raise ValueError(f"{expected}, got {value!r}") from error
    return value


class Window(Part):
    """Hours on some days of the week; they may extend past midnight."""

    days: Annotated[
        tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...],
        Field(min_length=1),
    ] = DAYS  # type: ignore[assignment]
    hours: Annotated[str, AfterValidator(_hours)]
    timezone: Annotated[str, AfterValidator(_timezone)] = "UTC"

    def is_open(self, now: float) -> bool:
        """Return whether the weight may rise at a time, in seconds since the epoch."""
        return self.opens(now) <= now

    def opens(self, now: float) -> float:
        """Return when the weight may rise next; `now` or before if it may already."""
        return next(start for start, end in self._spans(now) if end > now)

    def open_s(self, since: float, now: float) -> float:
        """Return the seconds between two times in which the weight may rise."""
        total = 0.0
        for start, end in self._spans(since):
            if start >= now:
                return total
            total += max(min(end, now) - max(start, since), 0.0)
        raise AssertionError("a window has no end of days")

    def _spans(self, since: float) -> Iterator[tuple[float, float]]:
        """Yield beginnings and ends, from the day before `since` on."""
        zone, (first, last) = ZoneInfo(self.timezone), self._times()
        day = datetime.fromtimestamp(since, zone).date() - timedelta(days=1)
        while True:
            if DAYS[day.weekday()] in self.days:
                end = day if last > first else day + timedelta(days=1)
                yield (
                    datetime.combine(day, first, zone).timestamp(),
                    datetime.combine(end, last, zone).timestamp(),
                )
            day += timedelta(days=1)

    def _times(self) -> tuple[time, time]:
        first, _, last = self.hours.partition("-")
        return time.fromisoformat(first), time.fromisoformat(last)

    def next_opening(self, now: float) -> str:
        """Describe when the window opens, "" while it is open."""
        at = self.opens(now)
        if at <= now:
            return ""
        zone = UTC if self.timezone == "UTC" else ZoneInfo(self.timezone)
        when = datetime.fromtimestamp(at, zone)
        return f"the window opens {when:%a %H:%M} {self.timezone}"
