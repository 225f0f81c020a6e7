"""Reads the notes of journal entries, of this schema or of schema 1. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from scripts.rollout.state.notes import Note, NoteKind

# Schema 1 wrote texts alone. These patterns recognise the kinds that are looked for; no
# version writes schema 1 any more, so the patterns never change.
SCHEMA_1 = {
    "promote(-full)? asked by a person, whatever the evidence": NoteKind.ORDERED,
    r"\S+ promoted by a person's patch$": NoteKind.PROMOTED_BY_HAND,
    "no metrics for ": NoteKind.NO_METRICS,
    r"held at \d+ %: \d+ % of \d+ requests/s needs": NoteKind.TOO_FEW_REPLICAS,
    r"hook \w+ says not yet to \d+ %": NoteKind.HOOK_WAITS,
    "the promotion is not in force, last seen:": NoteKind.PROMOTION_UNVERIFIED,
    "ROLLBACK NOT VERIFIED, last seen:": NoteKind.ROLLBACK_UNVERIFIED,
}


def read_notes(entry: Mapping[str, Any]) -> list[Note]:
    """Return an entry's notes; only looks have any."""
    return [_note(each) for each in entry.get("notes", ())]


def _note(found: Any) -> Note:
    match found:
        case {"kind": kind, "text": text}:
            return Note(NoteKind(kind), text)
    kinds = (kind for said, kind in SCHEMA_1.items() if re.match(said, found))
    return Note(next(kinds, NoteKind.UNKNOWN), found)
