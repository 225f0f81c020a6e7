"""The content of a journal's last commit. Pure."""

import json
from dataclasses import dataclass, field, replace
from typing import Any

from scripts.rollout.errors import JournalError
from scripts.rollout.journal import chain, codec
from scripts.rollout.metrics.windows.windows import Bases
from scripts.rollout.shadow.pairs import Disagreements
from scripts.rollout.state.actions import Warmed
from scripts.rollout.state.state import SCHEMA, WRITTEN_BY, State


@dataclass(frozen=True, slots=True)
class Saved:
    """The content of a commit: the state, and the counters it was computed from.

    `bases`: where the windows begin that are compared next. `weighed`: when the weight
    was changed last.
    `kind` is the kind of `line`: after a "look", its actions may not have been done.
    `apart`: disagreements that wait for their true labels.
    """

    state: State
    policy: str
    bases: Bases = field(default_factory=dict)
    weighed: float = 0.0
    warmed: Warmed | None = None
    requests: int = 0
    apart: Disagreements = field(default_factory=dict)
    seq: int = 0
    kind: str = ""
    hash: str = chain.FIRST
    line: str = ""

    def extended(self, kind: str, body: dict[str, Any]) -> "Saved":
        """Return a copy with the next journal line."""
        content = {"seq": self.seq + 1, "kind": kind, "schema": SCHEMA, **body}
        line, digest = chain.link(self.hash, content)
        return replace(self, seq=self.seq + 1, kind=kind, hash=digest, line=line)


def readable(state: dict[str, Any]) -> dict[str, Any]:
    """Return an encoded state without evidence of an older form, which nobody needs."""
    return {**state, "judged": None} if state.get("schema") in WRITTEN_BY else state


def restore(text: bytes, name: str) -> Saved:
    """Decode a commit that was read from the place `name`. Raises JournalError."""
    try:
        content = json.loads(text)
    except ValueError as error:
        raise JournalError(f"{name}: not JSON: {error}") from error
    match content:
        case {"state": {"schema": schema} as state} if schema in (*WRITTEN_BY, SCHEMA):
            known = {**content, "state": readable(state)}
            return codec.decode(Saved, known, name)
        case {"state": {"schema": schema}}:
            raise JournalError(
                f"{name}: written by another version (schema {schema}, this one knows "
                f"{min(WRITTEN_BY)} to {SCHEMA}); end the rollout with that version "
                "first"
            )
    raise JournalError(f"{name}: holds no state of a rollout with its schema")
