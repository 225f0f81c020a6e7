"""Encodes looks, actions and people's requests as lines, and decodes them. Pure."""

import json
from collections.abc import Sequence
from typing import Any

from scripts.rollout.decision.explaining import explain
from scripts.rollout.decision.measurement import Rules
from scripts.rollout.errors import Exit, JournalError
from scripts.rollout.journal import codec
from scripts.rollout.state.actions import (
    UNREADABLE,
    Action,
    Consult,
    Request,
    SetPercent,
    WarmUp,
)
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


def request_line(request: Request) -> str:
    """Return a request as one line."""
    return json.dumps(codec.encode(request))


def requests_of(lines: Sequence[str], after: int) -> list[Request]:
    """Return all requests but the first `after`."""
    return [_request(each) for each in lines[after:]]


def _request(line: str) -> Request:
    """Read a request. A write that was cut off must not stop the promoter for good."""
    try:
        return codec.decode(Request, json.loads(line))
    except (ValueError, JournalError):
        return Request(UNREADABLE, f"{line!r:.60}")
