"""What goes wrong in one schedule, and until when: all of it follows from a seed."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

# What may befall one request to the API server, one page, one instant of a promoter.
REQUESTS = (
    "lost", "unanswered", "doubled", "late", "slow",
    "401", "403", "409", "429", "500", "503", "garbled",
)  # fmt: skip
PAGES = ("silent", "page 500", "page slow", "page NaN", "page huge", "page odd")
DISKS = ("full", "full midway")
PROCESSES = ("killed", "stopped")
# What happens in the world, once or a few times each.
EVENTS = (
    "clock forward", "clock back", "gateway restarts", "canary restarts",
    "stable restarts", "pod vanishes", "pod comes", "pods doubled", "lag",
    "second promoter", "puts back", "patches", "pauses", "aborts", "orders",
    "third revision", "all silent",
)  # fmt: skip
KINDS = (*REQUESTS, *PAGES, *DISKS, *PROCESSES, *EVENTS)
# Those that are worst together.
TOGETHER = (
    ("stopped", "second promoter", "killed"),
    ("third revision", "slow", "lag"),
    ("third revision", "killed", "stopped"),
    ("late", "killed", "puts back"),
    ("full midway", "killed"),
    ("full", "killed", "stopped"),
    ("second promoter", "doubled", "unanswered", "late"),
    ("gateway restarts", "page slow", "silent"),
    ("canary restarts", "pod comes", "pod vanishes", "page slow"),
    ("clock back", "clock forward", "page slow"),
    ("patches", "aborts", "slow", "killed"),
)
STEERING = ("puts back", "patches", "pauses", "aborts", "orders", "third revision")


@dataclass
class Faults:
    """The faults of one schedule.

    `chances`: of each kind that may befall a request, a page, a write or an instant.
    `events`: when each event happens. None of it happens from `calm` on.
    """

    random: random.Random
    calm: float
    chances: Mapping[str, float]
    events: tuple[tuple[float, str], ...]
    seen: dict[str, int] = field(default_factory=dict)
    is_on: bool = True

    @classmethod
    def drawn(cls, seed: int) -> "Faults":
        """Draw a few kinds, some rare and some frequent."""
        found = random.Random(f"faults {seed}")
        kinds = found.sample(KINDS, found.choice((0, 1, 2, 3, 4, 6)))
        if found.random() < 0.3:
            kinds = list(found.choice(TOGETHER))
        calm = found.uniform(10.0, 50.0)
        chances, events = {}, []
        for kind in kinds:
            if kind in EVENTS:
                times = found.choice((1, 1, 2))
                events += [(found.uniform(1.0, calm), kind) for _ in range(times)]
            elif kind in PROCESSES:
                chances[kind] = found.choice((0.001, 0.003, 0.01))
            else:
                chances[kind] = found.choice((0.02, 0.1, 0.3))
        return cls(found, calm, chances, tuple(sorted(events)))

    def strikes(self, kinds: tuple[str, ...]) -> str:
        """Return the kind that happens now, "" for none."""
        if not self.is_on:
            return ""
        for kind in kinds:
            chance = self.chances.get(kind, 0.0)
            if chance and self.random.random() < chance:
                return self.note(kind)
        return ""

    def note(self, kind: str) -> str:
        """Count one that happened."""
        self.seen[kind] = self.seen.get(kind, 0) + 1
        return kind
