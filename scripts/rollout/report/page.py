"""A rollout as one HTML page that needs nothing else: plots, decisions, the verdict.

A `Story` takes a journal's entries one by one and keeps what a page can show, however
long the rollout: at most MOST_POINTS looks, each worth more time as there are more.
Plots are Apache ECharts'; the library and the numbers are in the page. Pure.
"""

import html
import json
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from scripts.rollout import text
from scripts.rollout.errors import Exit
from scripts.rollout.journal import codec
from scripts.rollout.policy import reader
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.state import Phase, State

MOST_POINTS = 600
MOST_DECISIONS = 300
DIGITS = 5
RELOAD_S = 2
ENDINGS = {
    Exit.PROMOTED: (
        "{canary} was promoted: it is no worse than {stable} by more than the budget "
        "allows."
    ),
    Exit.ROLLED_BACK: "{canary} was rolled back: it is worse than {stable}.",
    Exit.GUARD: "{canary} was rolled back by a guard.",
    Exit.ABORTED: "{canary} was taken back by a person.",
    Exit.HELD: "{canary} is held where it is: the evidence did not suffice in time.",
    Exit.PAUSED: "{canary} waits for a person's approval.",
    Exit.SUPERSEDED: "{canary} was taken back: somebody applied a newer version.",
    Exit.UNREACHABLE: "{canary} is held where it is: nothing more could be read.",
    Exit.UNVERIFIED: (
        "{canary} was to be rolled back, and that was NOT seen to be in force."
    ),
}


@dataclass
class Story:
    """One rollout so far, thinned out as it grows."""

    canary: str = ""
    stable: str = ""
    policy: str = ""
    began: float = 0.0
    phase: str = ""
    weight: int = 0
    verdict: int | None = None
    against: float | None = None
    is_ordered: bool = False
    points: list[dict[str, Any]] = field(default_factory=list)
    decisions: list[tuple[float, str]] = field(default_factory=list)
    labels: dict[str, list[float]] = field(default_factory=dict)
    durations: dict[str, list[float]] = field(default_factory=dict)
    beside: dict[str, float] = field(default_factory=dict)
    every: int = 1
    looks: int = 0

    def add(self, entry: dict[str, Any]) -> "Story":
        """The story with one more entry of its journal; a new one where that begins."""
        match entry["kind"]:
            case "begin":
                return _begun(entry)
            case "restart" if not self.policy:
                return _begun(entry)
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
        for note in entry["notes"]:
            self._decide(at, note)
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
        """Add up labels, latencies, and what was asked beside the users' requests."""
        if is_judged and seen["delta"] is not None:
            _add(self.labels, seen["delta"]["labels"])
            _add(self.durations, seen["delta"].get("durations", {}))
        for each in seen.get("beside", ()):
            rows = each["delta"]["metrics"].values()
            kind = each["source"] + ("" if each["counts"] else ", not counted")
            asked = max((row[1] for row in rows), default=0)
            self.beside[kind] = self.beside.get(kind, 0) + asked

    def _decide(self, at: float, note: str) -> None:
        """Write a note down; one that repeats itself look after look only once."""
        self.is_ordered |= "asked by a person, whatever the evidence" in note
        head = note.partition(":")[0]
        if not self.decisions or self.decisions[-1][1].partition(":")[0] != head:
            self.decisions.append((at, note))
        if len(self.decisions) > MOST_DECISIONS:
            del self.decisions[MOST_DECISIONS // 2]


def _begun(entry: dict[str, Any]) -> Story:
    state: State = codec.decode(State, entry["state"])
    return Story(
        canary=state.canary,
        stable=state.stable,
        policy=entry["policy"],
        began=state.began,
        phase=state.phase.value,
        weight=state.weight,
    )


def _add(totals: dict[str, list[float]], gained: dict[str, list[float]]) -> None:
    for name, pair in gained.items():
        total = totals.setdefault(name, [0.0, 0.0])
        total[0] += pair[0]
        total[1] += pair[1]


def sentence(story: Story, policy: Policy) -> str:
    """How it stands, for somebody who never heard of an e-value."""
    if story.verdict is None:
        if story.phase in (Phase.PREFLIGHT, Phase.WARMUP):
            return f"{story.canary} waits to start: no user has met it yet."
        share = min((story.against or 0.0) * policy.risk.false_rollback, 1.0)
        return (
            f"{story.canary} answers {story.weight} % of the requests; evidence "
            f"against it has reached {text.share(share)} of what a rollback takes."
        )
    if story.verdict == Exit.PROMOTED and story.is_ordered:
        return f"{story.canary} was promoted because a person ordered it."
    ending = ENDINGS[Exit(story.verdict)]
    return ending.format(canary=story.canary, stable=story.stable)


def page(story: Story) -> str:
    """The whole page. Raises PolicyError where the journal's policy is none."""
    policy = _policy(story.policy)
    last: dict[str, Any] = {"at": 0.0, "metrics": {}}
    if story.points:
        last = story.points[-1]
    first = last["metrics"].get(policy.metrics[0].name)
    facts = {
        "weight": f"{story.weight} %",
        "phase": story.phase,
        "time": text.duration(last["at"]),
        "canary requests": f"{first['canary']:,.0f}" if first else "0",
        "of them failed": f"{first['canaryBad']:,.0f}" if first else "0",
        **{kind: f"{asked:,.0f}" for kind, asked in story.beside.items()},
    }
    said = "".join(
        f"<tr><td>{text.duration(at)}</td><td>{html.escape(note)}</td></tr>"
        for at, note in story.decisions
    )
    is_live = story.verdict is None
    ending = "live" if story.verdict is None else Exit(story.verdict).name.lower()
    fields = {
        "TITLE": html.escape(f"{policy.key}: {story.canary}"),
        "RELOAD": f'<meta http-equiv="refresh" content="{RELOAD_S}">' * is_live,
        "VERDICT": ending,
        "SENTENCE": html.escape(sentence(story, policy)),
        "REASON": html.escape(story.decisions[-1][1] if story.decisions else ""),
        "FACTS": "".join(
            f"<div><dt>{name}</dt><dd>{value}</dd></div>"
            for name, value in facts.items()
        ),
        "DECISIONS": said,
        "POLICY": html.escape(story.policy.strip()),
        "DATA": _script(json.dumps(_data(story, policy), separators=(",", ":"))),
        "STYLE": _asset("report.css"),
        "ECHARTS": _asset("echarts.js"),
        "SCRIPT": _asset("report.js"),
    }
    parts = _asset("report.html").split("@@")
    return "".join(fields[part] if i % 2 else part for i, part in enumerate(parts))


def _data(story: Story, policy: Policy) -> dict[str, Any]:
    points = story.points
    return {
        "time": _rounded([point["at"] for point in points]),
        "weight": [point["weight"] for point in points],
        "against": _rounded([point["against"] for point in points]),
        "neededAgainst": 1 / policy.risk.false_rollback,
        "neededFor": 1 / policy.risk.bad_promotion,
        "metrics": [
            {
                "name": metric.name,
                "slo": metric.slo,
                "isDrift": metric.drift is not None,
                "isGate": metric.is_gate,
                **{
                    number: _rounded(
                        [
                            each["metrics"].get(metric.name, {}).get(number)
                            for each in points
                        ]
                    )
                    for number in (
                        *("canaryBad", "canary", "stableBad", "stable"),
                        *("low", "high", "rollback", "gate"),
                    )
                },
            }
            for metric in policy.metrics
        ],
        "labels": story.labels,
        "durations": story.durations,
    }


def _rounded(numbers: list[float | None]) -> list[float | None]:
    return [None if each is None else float(f"{each:.{DIGITS}g}") for each in numbers]


def _script(text: str) -> str:
    """JSON inside a script element, which only `</` could end."""
    return text.replace("</", "<\\/")


@cache
def _policy(text: str) -> Policy:
    """Parsed once a rollout, and not at every look."""
    return reader.parse(text, "the journal's policy")


@cache
def _asset(name: str) -> str:
    return (resources.files("scripts.rollout.report") / "assets" / name).read_text(
        "utf-8"
    )
