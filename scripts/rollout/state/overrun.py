"""How much more of an arm's requests fail than a limit allows, and since when."""

from dataclasses import dataclass

# Tunable: bad answers beyond the limit with which an arm is over it: half of 25 at 40 %
# suffice, and one burst of four does not.
BEGINS = 5.0
# Tunable: what is kept of them, so that an end is seen after about 50 good answers; at
# one and a half times the limit chance ends it in one of ten thousand looks.
MOST = 10.0


@dataclass(frozen=True, slots=True)
class Overrun:
    """Bad answers beyond a limit, added up; never less than none.

    `bad` of `n` were counted since `since`, when there were none beyond the limit, so
    their share is above the limit while `excess` is positive.
    """

    since: float = 0.0
    excess: float = 0.0
    bad: float = 0.0
    n: float = 0.0

    def add(self, limit: float, bad: float, n: float, now: float) -> "Overrun":
        """Return the sum after one scrape."""
        excess = min(self.excess + bad - limit * n, MOST)
        if excess <= 0:
            return Overrun(now)
        return Overrun(self.since, excess, self.bad + bad, self.n + n)

    @property
    def is_over(self) -> bool:
        """Return whether the arm is over the limit by more than chance."""
        return self.excess >= BEGINS

    @property
    def share(self) -> float:
        """Return the bad share since the sum was nothing."""
        return self.bad / self.n if self.n else 0.0
