"""A situation: a kind of canary under a kind of traffic, and what must hold there."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.bench.decisions.world.rates import (
    Shared,
    Trouble,
)

ALPHA, BETA = 0.01, 0.05
CALM = Shared()
BUDGET, BROKEN = "+0.5 % errors, the budget", "answers 500 always"


@dataclass(frozen=True, slots=True)
class Read:
    """When each arm's counters are of: `every_s` by a Prometheus, 0 at each look.

    `apart_s`: by how much the canary's sample is older. `gap`: from, to in seconds in
    which the canary's page does not answer. `restart`: its counters begin anew. `pods`
    of canary and stable; each is scraped at a time of its own, drawn by lot in so many
    `patterns`, at once where 0. `lost`: when the stable's last pod goes.
    """

    every_s: float = 0.0
    apart_s: float = 0.0
    gap: tuple[float, float] = (0.0, 0.0)
    restart: float = 0.0
    pods: tuple[int, int] = (1, 1)
    patterns: int = 0
    lost: float = 0.0


@dataclass(frozen=True, slots=True)
class Labelled:
    """True labels of texts that both arms label differently, one arm rightly.

    `wrong`: how often the canary is the wrong one, and the stable. `by_complaint`: only
    who saw a wrong answer says so.
    """

    per_minute: float
    wrong: tuple[float, float] = (1.0, 1.0)
    by_complaint: bool = True


@dataclass(frozen=True, slots=True)
class Must:
    """What holds for a policy: shares at most, minutes and bad answers at most."""

    back: float | None = None
    promoted: float | None = None
    minutes: float | None = None
    bad: float | None = None
    found: float | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """A kind of canary under a kind of traffic.

    `errors`, `over`: what the canary adds to the stable's bad shares. `at`: the weight
    from which on it does; `held_min`: minutes before that weight is allowed. `comes`:
    (seconds, every so many) in which it does, always where 0. `clusters`: parts of the
    outcomes and how many of them come together. `burst`: so many errors at once, once
    in so many seconds. `users_only`: pairs do not show it. `first_asked`: what the
    first one asked of a pair adds. `alike`: correlation within a pair. `scrapes`: of
    the stable's past. `must` by the variant's name.
    """

    name: str
    errors: float = 0.0
    over: float = 0.0
    at: int = 0
    held_min: float = 0.0
    comes: tuple[float, float] = (0.0, 0.0)
    trouble: Trouble = CALM
    clusters: tuple[tuple[float, int], ...] = ((1.0, 1),)
    burst: tuple[int, float] | None = None
    pairs: tuple[float, ...] = ()
    users_only: bool = False
    first_asked: tuple[float, float] = (0.0, 0.0)
    labels: Labelled | None = None
    alike: float = 0.0
    read: Read = Read()
    scrapes: int = 2160
    must: Mapping[str, Must] = field(default_factory=dict)

    @property
    def is_good(self) -> bool:
        """Whether the canary is no worse than the stable."""
        is_right = self.labels is None or self.labels.wrong[0] <= self.labels.wrong[1]
        return self.errors == 0 and self.over == 0 and is_right

    @property
    def harm(self) -> float:
        """Excess bad answers a request, on average."""
        lasts, every = self.comes
        return (self.errors + self.over) * (lasts / every if every else 1.0)

    def harm_at(self, time_s: float) -> tuple[float, float]:
        """Excess bad shares at a time."""
        lasts, every = self.comes
        if every and (time_s + every / 2) % every >= lasts:
            return 0.0, 0.0
        return self.errors, self.over
