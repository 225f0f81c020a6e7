"""What a page keeps of a journal, however long the rollout."""

from pathlib import Path

from scripts.rollout.report import page
from scripts.rollout.report.story import MOST_POINTS, Story
from scripts.rollout.report.writer import tell
from tests.rollout.report.rollouts import entries, run


def test_a_promoter_that_goes_on_keeps_what_was_before(tmp_path: Path) -> None:
    cluster = run(tmp_path, 6)
    once = tell(entries(cluster))
    assert [point["weight"] for point in once.points][-1] == 25
    assert len(once.points) == 6
    assert once.decisions[0][1].startswith("errors: outcomes in clusters")


def test_a_repeated_note_stands_there_once() -> None:
    story = Story(policy="target: {inferenceservice: intent}")
    look = {"kind": "look", "weight": 5, "phase": "Step", "verdict": None}
    for tick in range(2000):
        seen = {"time": float(tick), "delta": None}
        story.add({**look, "seen": seen, "notes": ["no metrics for 1m: held"]})
    assert len(story.decisions) == 1


def test_eight_hours_stay_below_a_megabyte(tmp_path: Path) -> None:
    records = entries(run(tmp_path, 12))
    last = [each for each in records if each["kind"] == "look"][-1]
    began = last["seen"]["time"]
    labels = {f"label_{i}": [i * 1.0, i * 2.0] for i in range(150)}
    last["seen"]["delta"]["labels"] = labels
    story = tell(records)
    for tick in range(8 * 360):
        last["seen"]["time"] = began + 10.0 * tick
        last["notes"] = [f"note {tick}: something happened at {tick}"]
        story.add(last)
    html = page.page(story)
    assert len(html.encode()) < 1_000_000
    assert len(story.points) <= MOST_POINTS
    assert story.points[-1]["at"] > 8 * 3590
