"""One rollout as texts for the page: all numbers are those of `status`. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any

from scripts.rollout import text
from scripts.rollout.dashboard import curve
from scripts.rollout.dashboard.curve import Point
from scripts.rollout.dashboard.history import Past
from scripts.rollout.errors import Exit
from scripts.rollout.journal.saved import Saved
from scripts.rollout.report import tables
from scripts.rollout.state.actions import Request
from scripts.rollout.state.state import Pause, Phase, State


def card(
    found: dict[str, Any],
    saved: Saved,
    past: Past,
    unread: Sequence[Request],
) -> dict[str, Any]:
    """Return a rollout's texts from its `summary.summary` and its journal so far.

    `unread` are requests.
    """
    state, metrics = saved.state, found["metrics"]
    return {
        "target": found["target"],
        "arms": f"{found['stable']} → {found['canary']}",
        "state": tables.headline(found).rpartition(found["canary"])[2].strip(),
        "kind": kind(state),
        "weight": found["weight"],
        "began": state.began,
        "entered": state.entered,
        "looked": state.now,
        "isOver": state.is_over,
        "isIdle": found["idleSeconds"] is not None,
        "waiting": found["waitingFor"] or [found["reason"]],
        "doubts": found["doubts"],
        "plot": _plot(past.curve.points, metrics),
        "rows": [*(row for each in metrics for row in _rows(each)), *_sum(metrics)],
        "conditions": [_condition(each) for each in found["conditions"]],
        "decisions": list(reversed(past.decisions)),
        "unread": [_unread(each) for each in unread],
        "may": may(state),
    }


def kind(state: State) -> str:
    """Return the colour's name for where a rollout is."""
    if state.verdict is not None:
        return Exit(state.verdict).name.lower()
    return "paused" if state.pause is not Pause.NONE else "live"


def may(state: State) -> list[str]:
    """Return the requests that can have an effect now."""
    if state.phase is Phase.PROMOTED:
        return ["undo"]
    if state.is_over:
        return []
    is_waiting = state.pause is not Pause.NONE or state.phase is Phase.HELD
    steer = ["approve"] if state.pause is Pause.APPROVAL else []
    return [*steer, "resume" if is_waiting else "pause", "promote", "abort"]


def fault(target: str, said: str) -> dict[str, Any]:
    """Return the card of a rollout that cannot be read."""
    lists = ("doubts", "rows", "conditions", "decisions", "unread", "may")
    return {
        **{"target": target, "arms": "", "state": "cannot be read", "weight": 0},
        **{"kind": "fault", "began": 0.0, "entered": 0.0, "looked": 0.0},
        **{"isOver": True, "isIdle": False, "waiting": [said], "plot": None},
        **{name: [] for name in lists},
    }


def _rows(row: dict[str, Any]) -> Iterable[dict[str, Any]]:
    cells = list(tables.arm_rows(row))
    evidence = {
        "against": _towards(row["rollback"], row["rollback_needed"]),
        "next": _towards(row["gate"], row["gate_needed"]),
    }
    nothing = {"against": None, "next": None}
    for i, (name, canary, stable, difference) in enumerate(cells):
        arms = {"name": name.strip(), "canary": canary, "stable": stable}
        yield {**arms, "difference": difference, **(nothing if i else evidence)}


def _sum(metrics: list[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """Yield the row of the sum that rolls back, where there are several metrics."""
    if len(metrics) > 1:
        total = sum(row["share"] * row["rollback"] for row in metrics)
        against = _towards(total, metrics[0]["rollback_needed"])
        nothing = {"canary": "", "stable": "", "difference": "", "next": None}
        yield {"name": "weighted sum", **nothing, "against": against}


def _plot(
    points: Sequence[Point], metrics: list[dict[str, Any]]
) -> dict[str, str] | None:
    return curve.drawn(points, metrics[0]["rollback_needed"]) if metrics else None


def _towards(e_value: float | None, needed: float) -> dict[str, Any] | None:
    """Return how far evidence has come on the logarithmic scale, and in words."""
    if e_value is None:
        return None
    said = f"{text.number(e_value)} of {needed:.0f}"
    return {"share": round(tables.reached(e_value, needed), 3), "said": said}


def _condition(found: dict[str, Any]) -> dict[str, str]:
    words = {True: "holds", False: "does not hold", None: "not checked"}
    return {"said": found["said"], "holds": words[found["holds"]]}


def _unread(request: Request) -> str:
    who = f" by {request.by}" if request.by else ""
    return f"{request.verb} was asked for{who}, the promoter has not read it yet"
