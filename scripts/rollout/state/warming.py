"""The canary's warm-up so far, and when it has settled: plain values."""

from dataclasses import dataclass, replace

from scripts.rollout.state.actions import Warmed

# Tunable: the median falls by more than this part of it while a process warms up; what
# chance moves the median of 20 answers by is less.
FALLING = 0.25

NOTHING = Warmed(0, 0)


@dataclass(frozen=True, slots=True)
class Warming:
    """All rounds of requests so far.

    `began`, `asked`: the times of the first round and of the last. `last` is the last
    round with an answer, `first_ms` the median of the first. `quiet_since`: since when
    no round had a failed or a slow answer or a falling median.
    """

    began: float
    asked: float
    sent: int = 0
    failed: int = 0
    slow: int = 0
    first_ms: float = 0.0
    quiet_since: float | None = None
    last: Warmed = NOTHING

    def add(self, found: Warmed) -> "Warming":
        """Return the warm-up after one more round."""
        is_falling = found.p50_ms < (1 - FALLING) * self.last.p50_ms
        is_quiet = not (found.failed or found.slow or is_falling)
        quiet_since = self.asked if self.quiet_since is None else self.quiet_since
        return replace(
            self,
            sent=self.sent + found.sent,
            failed=self.failed + found.failed,
            slow=self.slow + found.slow,
            first_ms=self.first_ms or found.p50_ms,
            quiet_since=quiet_since if is_quiet else None,
            last=found,
        )

    def has_settled(self, quiet_s: float, now: float) -> bool:
        """Return whether nothing moved for `quiet_s`."""
        return self.quiet_since is not None and now - self.quiet_since >= quiet_s
