"""The page of a rollout: what it says, how large it is, and how a browser shows it."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scripts.local.processes import ROOT
from scripts.rollout.errors import Exit
from scripts.rollout.journal import broadcast
from scripts.rollout.journal.broadcast import Broadcast, Report
from scripts.rollout.loop.runner import Runner
from scripts.rollout.loop.world import World
from scripts.rollout.report import page
from tests import browser
from tests.rollout.fakes import Cluster
from tests.rollout.worlds import POLICY, policy


def _run(folder: Path, looks: int = 60, bad: float = 0.0) -> Cluster:
    """A rollout that writes its report as it goes."""
    cluster = Cluster(folder, bad)
    heard = Broadcast(cluster.journal, None, [Report(cluster.journal.path, print)])
    world = World(
        cluster, cluster, heard, cluster.now, lambda _: None, cluster.said.append
    )
    for _ in range(looks):
        Runner(policy(), POLICY, world).run(once=True)
    return cluster


def _lines(cluster: Cluster) -> list[str]:
    return cluster.journal.path.read_text().splitlines()


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
    cluster = _run(tmp_path, looks, bad)
    html = (cluster.journal.folder / "report.html").read_text()
    assert f"<h1>{said}" in html
    assert ("http-equiv" in html) == (looks == 6)


def test_each_verdict_has_a_sentence() -> None:
    story = page.Story(canary="r-2", stable="r-1")
    sentences = set()
    for code in page.ENDINGS:
        story.verdict = code
        sentences.add(page.sentence(story, policy()))
    assert len(sentences) == len(page.ENDINGS)
    without = {Exit.USAGE, Exit.LOCKED}
    assert set(page.ENDINGS) >= set(Exit) - without


def test_one_that_was_ordered_says_so(tmp_path: Path) -> None:
    story = broadcast.told(_lines(_run(tmp_path)))
    story.is_ordered = True
    assert "a person ordered it" in page.sentence(story, policy())


def test_one_that_was_undone_says_so(tmp_path: Path) -> None:
    story = broadcast.told(_lines(_run(tmp_path)))
    story = story.add({"kind": "undo", "reason": "undone by a person: a try"})
    assert "was taken back by a person" in page.sentence(story, policy())
    assert "undone by a person: a try" in page.page(story)


def test_a_copy_without_a_beginning_becomes_no_page(tmp_path: Path) -> None:
    cluster = _run(tmp_path)
    copy = tmp_path / "copy" / "journal.jsonl"
    saved = cluster.journal.load()
    assert saved is not None
    broadcast.copy_to(copy)(saved)
    Report(copy, print)(saved)
    assert [each.name for each in copy.parent.iterdir()] == ["journal.jsonl"]


def test_a_report_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    cluster, said = _run(tmp_path, 6), list[str]()
    file = cluster.journal.folder / "report.html"
    file.unlink()
    file.mkdir()
    saved = cluster.journal.load()
    assert saved is not None
    Report(cluster.journal.path, said.append)(replace(saved, kind="look"))
    assert said == [f"no report: {file}: Is a directory"]


def test_a_promoter_that_goes_on_keeps_what_was_before(tmp_path: Path) -> None:
    cluster = _run(tmp_path, 6)
    once = broadcast.told(_lines(cluster))
    assert [point["weight"] for point in once.points][-1] == 25
    assert len(once.points) == 6
    assert once.decisions[0][1].startswith("errors: outcomes in clusters")


def test_a_repeated_note_stands_there_once() -> None:
    story = page.Story(policy="target: {inferenceservice: intent}")
    look = {"kind": "look", "weight": 5, "phase": "Step", "verdict": None}
    for tick in range(2000):
        seen = {"time": float(tick), "delta": None}
        story.add({**look, "seen": seen, "notes": ["no metrics for 1m: held"]})
    assert len(story.decisions) == 1


def test_eight_hours_stay_below_a_megabyte(tmp_path: Path) -> None:
    lines = _lines(_run(tmp_path, 12))
    looks = [line for line in lines if '"kind":"look"' in line]
    last = json.loads(looks[-1])
    began = last["seen"]["time"]
    labels = {f"label_{i}": [i * 1.0, i * 2.0] for i in range(150)}
    last["seen"]["delta"]["labels"] = labels
    story = broadcast.told(lines)
    for tick in range(8 * 360):
        last["seen"]["time"] = began + 10.0 * tick
        last["notes"] = [f"note {tick}: something happened at {tick}"]
        story.add(last)
    html = page.page(story)
    assert len(html.encode()) < 1_000_000
    assert len(story.points) <= page.MOST_POINTS
    assert story.points[-1]["at"] > 8 * 3590


def test_nothing_in_a_journal_becomes_markup(tmp_path: Path) -> None:
    story = broadcast.told(_lines(_run(tmp_path, 6)))
    story.decisions.append((1.0, "<script>alert(1)</script>"))
    story.labels["</script><b>"] = [1.0, 1.0]
    html = page.page(story)
    assert "<script>alert" not in html
    assert "</script><b>" not in html


def test_the_verb_writes_one_from_a_journal(tmp_path: Path) -> None:
    cluster = _run(tmp_path, 6)
    command = [sys.executable, "-m", "scripts.canary", "report"]
    where = ["-", "--html", str(tmp_path / "made.html")]
    text = "pod says this\n" + cluster.journal.path.read_text()
    done = subprocess.run(
        [*command, *where], input=text, cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, f"{tmp_path}/made.html\n")
    assert "<h1>r-00002 answers 25 %" in (tmp_path / "made.html").read_text()


@pytest.mark.parametrize(
    ("given", "text", "said"),
    [
        (["-"], "", "error: a journal from standard input needs --html FILE"),
        (["-", "--html", "x.html"], "no journal", "error: -: no rollout begins in it"),
        (["gone.jsonl"], "", "error: gone.jsonl: No such file or directory"),
    ],
)
def test_the_verb_says_what_is_missing(given: list[str], text: str, said: str) -> None:
    command = [sys.executable, "-m", "scripts.canary", "report", *given]
    done = subprocess.run(command, input=text, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr.strip()) == (2, said)


@pytest.mark.parametrize("scheme", [browser.LIGHT, browser.DARK])
@pytest.mark.parametrize("width", [400, 1400])
def test_a_browser_draws_every_plot(tmp_path: Path, width: int, scheme: int) -> None:
    cluster = _run(tmp_path)
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
    cluster = _run(tmp_path)
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
