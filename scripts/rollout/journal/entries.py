"""Encodes looks and actions as journal entries, and decodes them. Pure."""

import json
from typing import Any

from scripts.rollout.decision.explaining import explain
from scripts.rollout.decision.measurement import Rules
from scripts.rollout.errors import Exit
from scripts.rollout.journal import codec
from scripts.rollout.state.actions import Action, Consult, SetPercent, WarmUp
from scripts.rollout.state.observation import Observation
from scripts.rollout.state.state import Decision, Pause, State


def look(rules: Rules, seen: Observation, decision: Decision) -> dict[str, Any]:
    """Return every number of a decision, as the body of an entry."""
    state = decision.state
    body = {
        "seen": codec.encode(seen),
        "phase": state.phase,
        "weight": state.weight,
        "notes": codec.encode(decision.notes),
        "actions": [encode_action(action) for action in decision.actions],
        "verdict": state.verdict,
    }
    if state.judged is not None:
        design = rules.design(state.steps)
        rows = explain.rows(rules.policy, design, state.judged, state.step)
        body["evidence"] = {row.metric: explain.numbers(row) for row in rows}
        body["against"] = state.judged.evidence.sum_against(design)
    return body


def encode_action(action: Action) -> dict[str, Any]:
    """Encode an action for the journal."""
    match action:
        case SetPercent(percent):
            return {"setPercent": percent}
        case WarmUp(requests, slow_s):
            return {"warmUp": requests, "slowSeconds": slow_s}
        case Consult(hook, weight):
            return {"consult": hook, "weight": weight}


def read_actions(line: str) -> list[Action]:
    """Decode the actions in a look's line."""
    return [_decoded(each) for each in json.loads(line)["actions"]]


def _decoded(action: dict[str, Any]) -> Action:
    match action:
        case {"warmUp": requests}:
            return WarmUp(requests, action.get("slowSeconds", 0.0))
        case {"consult": hook, "weight": weight}:
            return Consult(hook, weight)
    return SetPercent(action["setPercent"])


def exit_code_so_far(state: State) -> Exit:
    """Return the exit code of a rollout without a verdict."""
    if state.pause is Pause.APPROVAL:
        return Exit.PAUSED
    return Exit.HELD if state.heard == state.now else Exit.UNREACHABLE
