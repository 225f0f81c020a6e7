"""A rollout for people: one line of state, one table of evidence."""

import json
from typing import Any

from rich.table import Table

from scripts.rollout import text
from scripts.rollout.decision import explain, reasons
from scripts.rollout.decision.measurement import Rules
from scripts.rollout.evidence import ladder
from scripts.rollout.evidence.ladder import Stay, Traffic
from scripts.rollout.journal import codec
from scripts.rollout.journal.saved import Saved
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.observation import Observation
from scripts.rollout.state.state import JUDGED, Phase, State


def summary(policy: Policy, saved: Saved) -> dict[str, Any]:
    """Everything that `status` and `explain` show, as plain values."""
    rules, state = Rules(policy), saved.state
    seen = _last_seen(saved)
    rows = []
    if state.judged is not None:
        design = rules.design(state.steps)
        rows = explain.rows(policy, design, state.judged, state.step)
    return {
        "target": policy.key,
        "canary": state.canary,
        "stable": state.stable,
        "phase": state.phase.value,
        "weight": state.weight,
        "steps": list(state.steps),
        "paused": state.pause.value,
        "verdict": state.verdict,
        "reason": state.reason,
        "waitingFor": [] if state.is_over else reasons.waiting(rules, state, seen),
        "etaSeconds": eta_s(rules, state),
        "metrics": codec.encode(rows),
    }


def _last_seen(saved: Saved) -> Observation | None:
    """What the last look saw, where the last line is one."""
    if saved.kind != "look":
        return None
    seen: Observation = codec.decode(Observation, json.loads(saved.line)["seen"])
    return seen


def eta_s(rules: Rules, state: State) -> float | None:
    """Seconds to the promotion of a good canary, None where none is in sight."""
    policy, judged = rules.policy, state.judged
    if judged is None or state.phase not in JUDGED or not state.rps:
        return None
    waited = state.now - state.entered
    if state.phase is Phase.BAKE:
        return max(policy.bake.duration - waited, 0.0)
    stable = judged.evidence.worse
    pairs = policy.pairs_rps(state.rps)
    expected = Traffic(state.rps, stable.stable_rate, judged.phi, pairs)
    stays = ladder.forecast(
        rules.design(state.steps),
        expected,
        policy.source.interval,
        policy.dwell_s,
        skips=policy.is_auto,
        evidence=judged.evidence,
        step=state.step,
    )
    total = ladder.total_s(stays) + policy.bake.duration
    return total if total != float("inf") else None


def headline(found: dict[str, Any]) -> str:
    """The state in a line."""
    line = f"{found['target']}  {found['stable']} -> {found['canary']}  "
    line += f"{found['phase']} at {found['weight']} %"
    if found["steps"]:
        line += f" of {text.percents(found['steps'])}"
    if found["paused"]:
        line += f"  {found['paused'].upper()}"
    if found["etaSeconds"] is not None:
        line += f"  eta {text.duration(found['etaSeconds'])}"
    return line


def evidence(found: dict[str, Any]) -> Table:
    """Both arms, the interval of their difference, evidence against its bounds."""
    table = Table(box=None)
    table.add_column("METRIC")
    table.add_column("CANARY", justify="right")
    table.add_column("STABLE", justify="right")
    table.add_column("DIFFERENCE [ANYTIME CI]", justify="right")
    table.add_column("ROLLBACK E", justify="right")
    table.add_column("GATE E", justify="right")
    for row in found["metrics"]:
        table.add_row(
            row["metric"],
            arm(row["canary"]),
            arm(row["stable"]),
            difference(row),
            f"{text.number(row['rollback'])} of {row['rollback_needed']:.0f}",
            "-"
            if row["gate"] is None
            else f"{text.number(row['gate'])} of {row['gate_needed']:.0f}",
        )
    return table


def arm(counts: dict[str, float]) -> str:
    """An arm's bad share, and of how many."""
    share = counts["bad"] / counts["n"] if counts["n"] else 0.0
    return f"{text.share(share)} ({counts['n']:.0f})"


def difference(row: dict[str, Any]) -> str:
    """Canary less stable, with the interval that holds at every look."""
    if row["distance"] is not None:
        return f"labels {text.share(row['distance'])} apart"
    canary, stable = row["canary"], row["stable"]
    if not canary["n"] or not stable["n"]:
        return "-"
    difference = canary["bad"] / canary["n"] - stable["bad"] / stable["n"]
    ends = f"[{row['low'] * 100:+.2g}, {row['high'] * 100:+.2g}]"
    return f"{difference * 100:+.2f}% {ends}"


def stays(found: dict[str, Any]) -> Table:
    """Time at each weight."""
    table = Table(box=None)
    table.add_column("WEIGHT", justify="right")
    table.add_column("TIME", justify="right")
    for each in found["stays"]:
        stay = Stay(**each)
        time = "never" if stay.seconds is None else text.duration(stay.seconds)
        table.add_row(f"{stay.weight} %", time)
    return table
