"""Notes with their kinds, as this version writes them and as schema 1 did.

`schema1_midway` is what commit 728b857 left of a rollout that is not over: no metrics
for a while, a pause, then the order to promote.
"""

import json
import shutil
from pathlib import Path

import pytest

from scripts.rollout.errors import JournalError
from scripts.rollout.journal import codec
from scripts.rollout.journal.notes import SCHEMA_1, read_notes
from scripts.rollout.report.story import ORDERS
from scripts.rollout.report.writer import tell
from scripts.rollout.state.notes import LASTING, Note, NoteKind
from scripts.rollout.state.state import SCHEMA
from tests.support.folder_world import FolderWorld

MIDWAY = Path(__file__).with_name("schema1_midway")
JOURNAL = (MIDWAY / "rollout" / "journal.jsonl").read_text(encoding="utf-8")


def test_a_note_comes_back_with_its_kind() -> None:
    note = Note(NoteKind.RAISED, "5 % -> 25 %")
    entry = json.loads(json.dumps({"notes": codec.encode([note])}))
    assert entry == {"notes": [{"kind": "raised", "text": "5 % -> 25 %"}]}
    assert read_notes(entry) == [note]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("promote asked by a person, whatever the evidence: so", NoteKind.ORDERED),
        ("promote-full asked by a person, whatever the evidence", NoteKind.ORDERED),
        ("r-2 promoted by a person's patch", NoteKind.PROMOTED_BY_HAND),
        ("r-2 promoted", NoteKind.UNKNOWN),
        ("no metrics for 1m10s: traffic is held at 5 %", NoteKind.NO_METRICS),
        (
            "held at 5 %: 25 % of 90 requests/s needs 2 ready replicas of the canary, "
            "there are 1",
            NoteKind.TOO_FEW_REPLICAS,
        ),
        ("hook confirm says not yet to 25 %: tests run", NoteKind.HOOK_WAITS),
        ("hook confirm says yes to 25 %", NoteKind.UNKNOWN),
        (
            "the promotion is not in force, last seen: nothing",
            NoteKind.PROMOTION_UNVERIFIED,
        ),
        (
            "ROLLBACK NOT VERIFIED, last seen: nothing; now the API does not answer",
            NoteKind.ROLLBACK_UNVERIFIED,
        ),
        ("paused by a person: no metrics for an hour", NoteKind.UNKNOWN),
    ],
)
def test_what_schema_1_said_has_the_kind_that_is_asked_for(
    text: str, kind: NoteKind
) -> None:
    assert read_notes({"notes": [text]}) == [Note(kind, text)]


def test_every_kind_that_is_asked_for_is_known_in_the_words_of_schema_1() -> None:
    assert set(SCHEMA_1.values()) == LASTING | ORDERS


def test_a_rollout_of_schema_1_is_left_to_its_own_version(tmp_path: Path) -> None:
    shutil.copytree(MIDWAY, tmp_path, dirs_exist_ok=True)
    cluster = FolderWorld(tmp_path)
    said = f"goes on: schema 1, this version decides by schema {SCHEMA}; commit 728b857"
    with pytest.raises(JournalError, match=said):
        cluster.runner().run()
    assert cluster.journal.path.read_text(encoding="utf-8") == JOURNAL


def test_its_report_tells_what_lasted_once() -> None:
    story = tell(map(json.loads, JOURNAL.splitlines()))
    assert [said for _, said in story.decisions if said.startswith("no metrics")] == [
        "no metrics for 1m10s: traffic is held at 5 %"
    ]
