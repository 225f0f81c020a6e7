"""What a page keeps of a journal, however long the rollout."""

from pathlib import Path

import pytest

from scripts.rollout.journal import codec
from scripts.rollout.report import page
from scripts.rollout.report.story import MOST_POINTS, Story
from scripts.rollout.report.writer import tell
from scripts.rollout.state.notes import Note, NoteKind
from tests.support.reported import entries, run


def test_a_promoter_that_goes_on_keeps_what_was_before(tmp_path: Path) -> None:
    cluster = run(tmp_path, 6)
    once = tell(entries(cluster))
    assert [point["weight"] for point in once.points][-1] == 25
    assert len(once.points) == 6
    said = [text for _, text in once.decisions]
    assert said[0].startswith("before the first step: 0 of 1 scrapes of the stable")
    assert said[1].startswith("errors: outcomes in clusters")


def _told(*notes: Note) -> Story:
    """Looks that say one note each."""
    story = Story(policy="target: {inferenceservice: intent}")
    look = {"kind": "look", "weight": 5, "phase": "Step", "verdict": None}
    for tick, note in enumerate(notes):
        seen = {"time": float(tick), "delta": None}
        story.add({**look, "seen": seen, "notes": codec.encode([note])})
    return story


def test_what_lasts_stands_there_once_in_whatever_words() -> None:
    notes = [Note(NoteKind.NO_METRICS, f"silent {'x' * i}") for i in range(2000)]
    assert [said for _, said in _told(*notes).decisions] == ["silent "]


def test_what_happens_twice_stands_there_twice() -> None:
    again = Note(NoteKind.HOOK_AGREED, "hook confirm: yes")
    assert len(_told(again, again).decisions) == 2


@pytest.mark.parametrize("kind", [NoteKind.ORDERED, NoteKind.PROMOTED_BY_HAND])
def test_what_a_person_ordered_is_known_by_its_kind(kind: NoteKind) -> None:
    assert _told(Note(kind, "in whatever words")).is_ordered
    words = "promote asked by a person, whatever the evidence"
    assert not _told(Note(NoteKind.PAUSED, words)).is_ordered


def test_labels_and_durations_of_both_arms_have_the_same_mix_of_looks() -> None:
    """By day at 5 %, by night at 95 %: totals would put day and night side by side."""
    story = _told()
    look = {"kind": "look", "phase": "Step", "verdict": None}
    for weight, mix in ((5, (90, 10)), (95, (20, 80))):
        arms = (weight, 100 - weight)
        labels = {
            name: [each * arm / 100 for arm in arms]
            for name, each in zip(("day", "night"), mix, strict=True)
        }
        delta = {"labels": labels, "durations": labels, "metrics": {}}
        seen = {"time": 1.0, "delta": delta}
        story.add({**look, "weight": weight, "seen": seen, "notes": [], "evidence": {}})
    for totals in (story.labels, story.durations):
        assert totals["day"][0] == pytest.approx(totals["day"][1])
        assert totals["night"][0] == pytest.approx(totals["night"][1])


def test_eight_hours_stay_below_a_megabyte(tmp_path: Path) -> None:
    records = entries(run(tmp_path, 12))
    last = [each for each in records if each["kind"] == "look"][-1]
    began = last["seen"]["time"]
    labels = {f"label_{i}": [i * 1.0, i * 2.0] for i in range(150)}
    last["seen"]["delta"]["labels"] = labels
    story = tell(records)
    for tick in range(8 * 360):
        last["seen"]["time"] = began + 10.0 * tick
        note = f"note {tick}: something happened at {tick}"
        last["notes"] = [{"kind": "raised", "text": note}]
        story.add(last)
    html = page.page(story)
    assert len(html.encode()) < 1_000_000
    assert len(story.points) <= MOST_POINTS
    assert story.points[-1]["at"] > 8 * 3590
