"""A rollout as Markdown: what happened, and no markup of the journal's own."""

from pathlib import Path

import pytest

from scripts.canary import main
from scripts.rollout.errors import Exit
from scripts.rollout.report import markdown
from scripts.rollout.report.story import Story
from tests.support.folder_world import FolderWorld
from tests.support.worlds import POLICY

Captured = pytest.CaptureFixture[str]


def test_a_rollout_that_was_taken_back_says_so_with_its_rates(
    tmp_path: Path, capsys: Captured
) -> None:
    world = FolderWorld(tmp_path, bad=0.3)
    assert world.runner().run() is Exit.ROLLED_BACK
    journal = str(world.journal.path)
    assert main(["report", journal, "-o", "markdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "## default.intent: r-00002, rolled\\_back"
    assert lines[2] == "r-00002 was rolled back: it is worse than r-00001."
    (errors,) = (line for line in lines if line.startswith("| errors |"))
    assert errors.startswith("| errors | 30.00% of ")
    assert any(line.startswith("- ") and "e = " in line for line in lines)
    assert not world.journal.path.with_name("report.html").exists()
    page = tmp_path / "page.html"
    assert main(["report", journal, "-o", "markdown", "--html", str(page)]) == 0
    assert "<h1>" in page.read_text()


def test_what_a_journal_says_is_text_and_no_markup() -> None:
    said = "<img src=x> [click](javascript:alert) | a\n# b `c`"
    story = Story(policy=POLICY, canary="r-2", stable="r-1", phase="Step")
    story.decisions.append((1.0, said))
    shown = markdown.summary(story)
    (line,) = (each for each in shown.splitlines() if each.startswith("- "))
    assert line == (
        r"- 1s: \<img src=x\> \[click\]\(javascript:alert\) \| a \# b \`c\`"
    )


def test_a_rollout_that_goes_on_has_no_verdict_and_no_rates() -> None:
    story = Story(policy=POLICY, canary="r-2", stable="r-1", phase="Preflight")
    shown = markdown.summary(story)
    assert shown.startswith("## default.intent: r-2, goes on\n")
    assert "|" not in shown


def test_a_file_without_a_rollout_is_said(tmp_path: Path, capsys: Captured) -> None:
    journal = tmp_path / "journal.jsonl"
    journal.write_text("")
    assert main(["report", str(journal), "-o", "markdown"]) == Exit.USAGE
    assert f"{journal}: no rollout begins in it" in capsys.readouterr().err
