"""The page of a rollout: what it says, and how a browser shows and prints it."""

import re
from pathlib import Path
from typing import Any

import pytest

from scripts.rollout.errors import Exit
from scripts.rollout.report import page
from scripts.rollout.report.story import Story
from scripts.rollout.report.writer import tell
from tests.support import browser
from tests.support.reported import entries, run
from tests.support.worlds import policy


@pytest.mark.parametrize(
    ("bad", "looks", "said"),
    [
        (
            0.0,
            6,
            "r-00002 answers 25 % of the requests; evidence against it has reached",
        ),
        (0.0, 60, "r-00002 was promoted: it is no worse than r-00001"),
        (0.3, 60, "r-00002 was rolled back: it is worse than r-00001."),
    ],
)
def test_its_first_sentence_says_how_it_stands(
    tmp_path: Path, bad: float, looks: int, said: str
) -> None:
    cluster = run(tmp_path, looks, bad)
    html = (cluster.journal.folder / "report.html").read_text()
    assert f"<h1>{said}" in html
    assert ("http-equiv" in html) == (looks == 6)


def test_each_verdict_has_a_sentence() -> None:
    story = Story(canary="r-2", stable="r-1")
    sentences = set()
    for code in page.ENDINGS:
        story.verdict = code
        sentences.add(page.sentence(story, policy()))
    assert len(sentences) == len(page.ENDINGS)
    without = {Exit.USAGE, Exit.LOCKED}
    assert set(page.ENDINGS) >= set(Exit) - without


def test_one_that_was_ordered_says_so(tmp_path: Path) -> None:
    story = tell(entries(run(tmp_path)))
    story.is_ordered = True
    assert "a person ordered it" in page.sentence(story, policy())


def test_one_that_was_undone_says_so(tmp_path: Path) -> None:
    story = tell(entries(run(tmp_path)))
    story = story.add({"kind": "undo", "reason": "undone by a person: a try"})
    assert "was taken back by a person" in page.sentence(story, policy())
    assert "undone by a person: a try" in page.page(story)


def test_nothing_in_a_journal_becomes_markup(tmp_path: Path) -> None:
    story = tell(entries(run(tmp_path, 6)))
    story.decisions.append((1.0, "<script>alert(1)</script>"))
    story.labels["</script><b>"] = [1.0, 1.0]
    html = page.page(story)
    assert "<script>alert" not in html
    assert "</script><b>" not in html


@pytest.mark.parametrize("scheme", [browser.LIGHT, browser.DARK])
@pytest.mark.parametrize("width", [400, 1400])
def test_a_browser_draws_every_plot(tmp_path: Path, width: int, scheme: int) -> None:
    cluster = run(tmp_path)
    html = (cluster.journal.folder / "report.html").read_text()
    seen = browser.look(html, width, scheme, tmp_path)
    assert [plot["title"] for plot in seen["plots"]] == browser.TITLES
    for plot in seen["plots"]:
        assert plot["lines"] >= 4, plot
        assert len(plot["words"]) >= 4, plot
        assert plot["smallest"] >= 11, plot
        assert 300 <= plot["width"] <= width
    assert seen["overflow"] <= 0
    assert _light(seen["ink"]) - _light(seen["paper"]) > (
        150 if scheme == browser.DARK else -256
    )
    assert (_light(seen["paper"]) < 60) == (scheme == browser.DARK)


def test_it_can_be_printed(tmp_path: Path) -> None:
    cluster = run(tmp_path)
    text = browser.printed(cluster.journal.folder / "report.html")
    for word in (
        "r-00002 was promoted",
        *browser.TITLES,
        "Decisions",
        "inferenceservice",
    ):
        assert word in text, text


def _light(colour: str) -> float:
    parts: list[Any] = re.findall(r"\d+", colour)
    return sum(map(int, parts[:3])) / 3
