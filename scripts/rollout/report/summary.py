"""Summarises a rollout for `status`, `explain` and `watch` as plain values. Pure."""

import json
from typing import Any

from scripts.rollout.decision.explaining import conditions, explain, reasons
from scripts.rollout.decision.measurement import Rules
from scripts.rollout.decision.phases import baking
from scripts.rollout.evidence.forecast import ladder
from scripts.rollout.evidence.forecast.ladder import Traffic
from scripts.rollout.journal import codec
from scripts.rollout.journal.saved import Saved
from scripts.rollout.policy.policy import Policy
from scripts.rollout.state.observation import Observation
from scripts.rollout.state.state import JUDGED, Pause, Phase, State


def summary(
    policy: Policy, saved: Saved, idle_s: float | None = None
) -> dict[str, Any]:
    """Return everything that `status` and `explain` show, as plain values.

    `idle_s`: the seconds since the last look, if no promoter is at work.
    """
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
        "doubts": [each for each in state.doubts if seen and each in seen.doubts],
        "conditions": codec.encode(conditions.of(policy, state)),
        "etaSeconds": eta_s(rules, state) if idle_s is None else None,
        "idleSeconds": idle_s,
        "metrics": codec.encode(rows),
    }


def _last_seen(saved: Saved) -> Observation | None:
    """Return the last look's observation, None if the last line is no look."""
    if saved.kind != "look":
        return None
    seen: Observation = codec.decode(Observation, json.loads(saved.line)["seen"])
    return seen


def eta_s(rules: Rules, state: State) -> float | None:
    """Forecast the seconds to a good canary's promotion, None if it never comes."""
    policy, judged = rules.policy, state.judged
    is_paused = state.pause is not Pause.NONE
    if judged is None or state.phase not in JUDGED or not state.rps or is_paused:
        return None
    if state.phase is Phase.BAKE:
        left_s = baking.left_s(policy, state)
        return left_s if left_s != float("inf") else None
    stable = judged.evidence.worse
    pairs = policy.pairs_rps(state.rps)
    expected = Traffic(state.rps, stable.stable_rate, judged.phi, pairs)
    stays = ladder.forecast(
        rules.design(state.steps),
        expected,
        state.interval,
        policy.dwell_s,
        skips=policy.is_auto,
        evidence=judged.evidence,
        step=state.step,
    )
    total = ladder.total_s(stays) + baking.forecast_s(policy, state.rps)
    return total if total != float("inf") else None
