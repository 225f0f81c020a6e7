"""Condenses a rollout's journal to what a page can show. Pure.

A `Story` takes a journal's entries one by one and keeps at most MOST_POINTS looks and
MOST_DECISIONS notes, however long the rollout: when there are too many points, every
second one is dropped.
"""

from dataclasses import dataclass, field
from typing import Any

from scripts.rollout.errors import Exit
from scripts.rollout.journal.notes import read_notes
from scripts.rollout.state.notes import NoteKind, news

MOST_POINTS = 600  # more than a plot can show separately
MOST_DECISIONS = 300  # beyond that, notes are dropped from the middle
ORDERS = frozenset({NoteKind.ORDERED, NoteKind.PROMOTED_BY_HAND})


@dataclass
class Story:
    """The entries of one rollout so far, condensed.

    `missing` is the number of entries before the first one, if this copy of the journal
    begins in the middle of the rollout; else 0.
    """

    canary: str = ""
    stable: str = ""
    policy: str = ""
    target: str = ""
    began: float = 0.0
    missing: int = 0
    phase: str = ""
    weight: int = 0
    verdict: int | None = None
    against: float | None = None
    is_ordered: bool = False
    points: list[dict[str, Any]] = field(default_factory=list)
    decisions: list[tuple[float, str]] = field(default_factory=list)
    told: frozenset[NoteKind] = frozenset()
    labels: dict[str, list[float]] = field(default_factory=dict)
    durations: dict[str, list[float]] = field(default_factory=dict)
    beside: dict[str, float] = field(default_factory=dict)
    every: int = 1
    looks: int = 0

    def add(self, entry: dict[str, Any]) -> "Story":
        """Add one journal entry; a `begin` entry starts a new story."""
        match entry["kind"]:
            case "begin":
                return _begun(entry, 0)
            case "restart" if not self.policy:
                return _begun(entry, entry["seq"] - 1)
            case "look":
                self._look(entry)
            case "undo" if self.points:
                self.verdict, self.weight = Exit.ABORTED, 0
                self._decide(self.points[-1]["at"], entry["reason"])
        return self

    def _look(self, entry: dict[str, Any]) -> None:
        seen = entry["seen"]
        at = seen["time"] - self.began
        is_turn = entry["weight"] != self.weight or entry["verdict"] is not None
        self.phase, self.weight = entry["phase"], entry["weight"]
        self.verdict, self.against = entry["verdict"], entry.get("against")
        notes, self.told = news(read_notes(entry), self.told)
        self.is_ordered |= any(note.kind in ORDERS for note in notes)
        for note in notes:
            self._decide(at, note.text)
        self._count(seen, is_judged="evidence" in entry)
        self.looks += 1
        if is_turn or self.looks % self.every == 0:
            self.points.append(
                {
                    "at": at,
                    "weight": self.weight,
                    "against": self.against,
                    "metrics": entry.get("evidence", {}),
                }
            )
        if len(self.points) > MOST_POINTS:
            self.points = self.points[::2]
            self.every *= 2

    def _count(self, seen: dict[str, Any], *, is_judged: bool) -> None:
        """Add up labels, latencies and the requests beside the users'."""
        if is_judged and seen["delta"] is not None:
            _add(self.labels, seen["delta"]["labels"])
            _add(self.durations, seen["delta"].get("durations", {}))
        for each in seen.get("beside", ()):
            kind = each["source"] + ("" if each["counts"] else ", not counted")
            asked = max(_asked(each), default=0)
            self.beside[kind] = self.beside.get(kind, 0) + asked

    def _decide(self, at: float, said: str) -> None:
        self.decisions.append((at, said))
        if len(self.decisions) > MOST_DECISIONS:
            del self.decisions[MOST_DECISIONS // 2]


def _asked(beside: dict[str, Any]) -> list[float]:
    """Return the pairs of each metric; schema 2 had both arms' counts."""
    if "delta" in beside:
        return [row[1] for row in beside["delta"]["metrics"].values()]
    return [row[3] for row in beside["metrics"].values()]


def _begun(entry: dict[str, Any], missing: int) -> Story:
    state = entry["state"]
    names = ("canary", "stable", "began", "phase", "weight")
    begun = {name: state[name] for name in names}
    target = entry.get("target", "")  # older journals have it in their policies only
    return Story(policy=entry["policy"], target=target, missing=missing, **begun)


def _add(totals: dict[str, list[float]], gained: dict[str, list[float]]) -> None:
    """Add a look's counts of both arms, in equal sizes, whatever the weight is."""
    n = [sum(pair[arm] for pair in gained.values()) for arm in (0, 1)]
    both = sum(n) or 1.0
    for name, pair in gained.items():
        total = totals.setdefault(name, [0.0, 0.0])
        total[0] += pair[0] * n[1] / both
        total[1] += pair[1] * n[0] / both
