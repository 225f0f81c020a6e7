"""What the bake has seen: a time without requests is no test of the canary."""

from dataclasses import dataclass

# A unit: a minute counts if both arms had requests in it. With less than one a minute
# the control group tells nothing.
MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Baked:
    """Requests of the bake, and the seconds in which both arms had some.

    `seconds` are counted up to `since`; `fresh` are requests of canary and stable after
    that, of which one arm may have none yet.
    """

    since: float
    seconds: float = 0.0
    canary: float = 0.0
    stable: float = 0.0
    fresh: tuple[float, float] = (0.0, 0.0)

    def add(self, canary: float, stable: float, now: float) -> "Baked":
        """Return the sums after one scrape."""
        fresh = (self.fresh[0] + canary, self.fresh[1] + stable)
        since, seconds = self.since, self.seconds
        if all(fresh):
            seconds += min(now - since, MINUTE_S)
            since, fresh = now, (0.0, 0.0)
        total = self.canary + canary, self.stable + stable
        return Baked(since, seconds, *total, fresh)
