"""The notes of a look: a kind for programs, a text for people.

No program reads a text, so texts may be reworded at any time.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class NoteKind(StrEnum):
    """The subject of a note. Journals hold these words: add to them, rename none."""

    LEARNING = "learning"
    STEPS_CHOSEN = "stepsChosen"
    CLUSTER_SIZE = "clusterSize"
    ASSUMED = "assumed"
    LABELS_SHOW_LITTLE = "labelsShowLittle"
    WARMED_UP = "warmedUp"
    SCALED_UP = "scaledUp"
    RAISED = "raised"
    HOOK_AGREED = "hookAgreed"
    HOOK_WAITS = "hookWaits"
    APPROVAL_NEEDED = "approvalNeeded"
    TOO_FEW_REPLICAS = "tooFewReplicas"
    BOTH_FAIL = "bothFail"
    BOTH_RECOVERED = "bothRecovered"
    SPLIT_MOVED = "splitMoved"
    SPLIT_RIGHT = "splitRight"
    NO_METRICS = "noMetrics"
    NO_DATA = "noData"
    UNREADABLE = "unreadable"
    GONE = "gone"
    DEADLINE = "deadline"
    BAKED = "baked"
    CONDITIONS = "conditions"
    PROMOTING = "promoting"
    PROMOTED = "promoted"
    PROMOTED_BY_HAND = "promotedByHand"
    PROMOTION_UNVERIFIED = "promotionUnverified"
    WORSE = "worse"
    GUARD = "guard"
    SUPERSEDED = "superseded"
    ROLLED_BACK = "rolledBack"
    ROLLBACK_UNVERIFIED = "rollbackUnverified"
    CHANGED_BY_HAND = "changedByHand"
    REWRITTEN = "rewritten"
    SYNCED = "synced"
    ABORTED = "aborted"
    PAUSED = "paused"
    RESUMED = "resumed"
    APPROVED = "approved"
    NOTHING_TO_APPROVE = "nothingToApprove"
    REQUEST_DAMAGED = "requestDamaged"
    ORDERED = "ordered"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> "NoteKind":
        """Read a kind that only a newer version writes as UNKNOWN."""
        del value
        return cls.UNKNOWN


# Notes of these kinds repeat, at every look or every few, as long as they hold.
LASTING = frozenset(
    {
        NoteKind.HOOK_WAITS,
        NoteKind.TOO_FEW_REPLICAS,
        NoteKind.NO_METRICS,
        NoteKind.PROMOTION_UNVERIFIED,
        NoteKind.ROLLBACK_UNVERIFIED,
    }
)


@dataclass(frozen=True, slots=True)
class Note:
    """One line that a look reports."""

    kind: NoteKind
    text: str


def news(
    notes: Iterable[Note], told: frozenset[NoteKind]
) -> tuple[list[Note], frozenset[NoteKind]]:
    """Drop lasting notes that were told already; also return the kinds told by now.

    A note that does not last ends the silence: a lasting condition that goes on after
    it is news again.
    """
    found = []
    for note in notes:
        if note.kind in told:
            continue
        found.append(note)
        told = told | {note.kind} if note.kind in LASTING else frozenset()
    return found, told
