"""The page is written after each look, and by the verb from a journal that holds."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.local.processes import ROOT
from scripts.rollout.errors import JournalError
from scripts.rollout.journal import broadcast
from scripts.rollout.report.writer import Report, write_report
from tests.support.reported import chained, entries, lines, run


def test_a_copy_without_a_beginning_becomes_no_page(tmp_path: Path) -> None:
    cluster = run(tmp_path)
    copy = tmp_path / "copy" / "journal.jsonl"
    saved = cluster.journal.load()
    assert saved is not None
    broadcast.copy_to(copy, print)(saved)
    Report(copy, print)(saved)
    assert [each.name for each in copy.parent.iterdir()] == ["journal.jsonl"]


def test_a_report_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    cluster, said = run(tmp_path, 6), list[str]()
    file = cluster.journal.folder / "report.html"
    file.unlink()
    file.mkdir()
    saved = cluster.journal.load()
    assert saved is not None
    Report(cluster.journal.path, said.append)(replace(saved, kind="look"))
    assert said == [f"no report: {file}: Is a directory"]


def test_the_verb_writes_one_from_a_journal(tmp_path: Path) -> None:
    cluster = run(tmp_path, 6)
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


def _written(journal: list[str], folder: Path) -> str:
    page = folder / "page.html"
    write_report(journal, page)
    return page.read_text()


def test_a_page_says_which_lines_were_verified(tmp_path: Path) -> None:
    journal = lines(run(tmp_path, 6))
    html = _written(journal, tmp_path)
    assert f"hash chain of the journal's lines 1 to {len(journal)} holds" in html
    assert "begins at its line" not in html


def test_a_broken_chain_becomes_no_page_and_is_refused_by_its_line(
    tmp_path: Path,
) -> None:
    journal = lines(run(tmp_path, 6))
    journal[4] = journal[4].replace('"seq":5', '"seq": 5')
    with pytest.raises(JournalError, match="line 5: the chain is broken"):
        write_report(journal, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_a_copy_that_begins_in_the_middle_says_from_which_line(tmp_path: Path) -> None:
    journal = lines(run(tmp_path, 6))
    middle = next(i for i in range(9, 99) if '"kind":"restart"' in journal[i])
    html = _written(journal[middle:], tmp_path)
    assert f"begins at its line {middle + 1}, in the middle of the rollout" in html
    assert f"lines {middle + 2} to {len(journal)} holds" in html


def test_a_later_rollout_of_a_journal_is_whole(tmp_path: Path) -> None:
    first = entries(run(tmp_path, 60))
    second = [{**each, "seq": each["seq"] + len(first)} for each in first]
    html = _written(chained([*first, *second])[len(first) :], tmp_path)
    assert "in the middle of the rollout" not in html


def test_an_entry_that_a_copy_holds_twice_counts_once(tmp_path: Path) -> None:
    journal = lines(run(tmp_path, 6))
    again = [each for line in journal for each in (line, line)]
    assert _written(again, tmp_path) == _written(journal, tmp_path)


def test_the_verb_names_the_file_whose_chain_is_broken(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    journal = lines(run(tmp_path, 6))
    act = next(i for i, line in enumerate(journal) if '"kind":"act"' in line)
    file.write_text("\n".join([*journal[: act - 1], *journal[act:]]) + "\n")
    command = [sys.executable, "-m", "scripts.canary", "report", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {file}: line {act}: the chain is broken")
