"""Condenses a journal to one row for each of its rollouts. Pure."""

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from scripts.rollout import text
from scripts.rollout.dashboard.curve import Curve
from scripts.rollout.errors import Exit, PolicyError
from scripts.rollout.journal.notes import read_notes
from scripts.rollout.policy import reader
from scripts.rollout.report import live
from scripts.rollout.shadow.pairs import FEEDBACK


@dataclass(frozen=True, slots=True)
class Asked:
    """One person's request, and when it was read."""

    at: float
    verb: str
    reason: str
    by: str

    def __str__(self) -> str:
        """Return it in words."""
        who = f" by {self.by}" if self.by else ""
        why = f": {self.reason}" if self.reason and self.verb != FEEDBACK else ""
        return f"{text.clock(self.at)} {self.verb}{who}{why}"


@dataclass(slots=True)
class Past:
    """One rollout of a journal, from byte `start` to byte `end` of its file.

    Where these entries start in its middle, it has no names and no beginning. `bad` has
    the canary's bad answers to users by metric, as far as they were compared.
    """

    start: int
    end: int = 0
    target: str = ""
    canary: str = ""
    stable: str = ""
    began: float | None = None
    at: float = 0.0
    verdict: int | None = None
    metrics: tuple[str, ...] = ()
    bad: dict[str, float] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    said: str = ""
    curve: Curve = field(default_factory=Curve)
    decisions: list[str] = field(default_factory=list)

    def add(self, entry: dict[str, Any]) -> None:
        """Add one journal entry."""
        self.decisions = [*self.decisions, *live.told(entry)][-live.DECISIONS :]
        match entry["kind"]:
            case "begin" | "restart" if not self.canary:
                self._begin(entry)
            case "look":
                self._look(entry)
            case "undo":
                self.verdict, self.said = Exit.ABORTED, entry["reason"]
                if "by" in entry:  # older ones do not say
                    who, why = entry["by"], entry["asked"]
                    self.asked.append(Asked(entry["time"], "undo", why, who))

    def _begin(self, entry: dict[str, Any]) -> None:
        state = entry["state"]
        self.target = entry.get("target", "")
        self.named(state["canary"], state["stable"], state["began"], entry["policy"])
        self.at = state["began"]

    def named(self, canary: str, stable: str, began: float, policy: str) -> None:
        """Take what a rollout's first entry says, from elsewhere if that is gone."""
        self.canary, self.stable, self.began = canary, stable, began
        self.metrics = _counted(policy)

    def _look(self, entry: dict[str, Any]) -> None:
        self.at, self.verdict = entry["seen"]["time"], entry["verdict"]
        self.curve.add(self.at, entry.get("against") or 1.0, entry["weight"])
        evidence = entry.get("evidence", {})
        names = [name for name in self.metrics or evidence if name in evidence]
        counts = {name: evidence[name].get("canaryBad") or 0.0 for name in names}
        self.bad = counts or self.bad
        for each in entry["seen"].get("requests", ()):
            who = each.get("by", "")
            self.asked.append(Asked(self.at, each["verb"], each["reason"], who))
        notes = read_notes(entry)
        self.said = notes[-1].text if notes else self.said


def shown(past: Past, where: str, key: str) -> dict[str, Any]:
    """Return one row of the page's history, as texts; `key` is the target's."""
    bad = [f"{name} {count:,.0f}" for name, count in past.bad.items() if count]
    took = "at least " if past.began is None else ""
    took += text.duration(past.at - (past.began or past.at))
    return {
        "target": past.target or key,
        "where": where,
        "arms": f"{past.stable} → {past.canary}" if past.canary else "",
        "ended": past.at,
        "verdict": Exit(past.verdict or 0).name.lower().replace("_", " "),
        "took": took,
        "bad": ", ".join(bad) or "none",
        "asked": [str(each) for each in past.asked],
        "said": past.said,
    }


@cache
def _counted(policy: str) -> tuple[str, ...]:
    """Return the metrics of users' requests; drift and pairs count no bad answers."""
    try:
        metrics = reader.parse(policy, "the journal's policy").metrics
    except PolicyError:  # of an older version; then all are shown
        return ()
    return tuple(each.name for each in metrics if not each.drift and not each.limit)
