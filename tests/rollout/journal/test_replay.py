"""Deciding again: the same from a journal, the machine's own rules on CSV."""

import json
from itertools import accumulate
from pathlib import Path

import pytest

from scripts.rollout.errors import Exit, JournalError, RolloutError
from scripts.rollout.journal import chain, replay
from tests.support.folder_world import FolderWorld
from tests.support.worlds import ERRORS, LATENCY, policy

HEADER = "time_s,arm,requests,errors,slow"
TWO = policy(metrics=f"[{ERRORS}, {LATENCY}]")


def _csv(canary: tuple[int, int, int], scrapes: int = 60, before: int = 0) -> list[str]:
    """Counters of `scrapes` of 10 s; the canary comes `before` scrapes late."""
    arms = {
        "canary": [(0, 0, 0)] * before + [canary] * (scrapes - before),
        "stable": [(1000, 2, 3)] * scrapes,
    }
    lines = [HEADER]
    totals = {
        arm: list(
            accumulate(
                rows, lambda a, b: tuple(x + y for x, y in zip(a, b, strict=True))
            )
        )
        for arm, rows in arms.items()
    }
    for number in range(scrapes):
        for arm in arms:
            row = ",".join(map(str, totals[arm][number]))
            lines.append(f"{number * 10},{arm},{row}")
    return lines


def _journal(folder: Path, bad: float = 0.0) -> list[str]:
    cluster = FolderWorld(folder, bad)
    cluster.runner().run()
    return cluster.journal.path.read_text().splitlines()


@pytest.mark.parametrize(("bad", "code"), [(0.0, 0), (0.3, 10)])
def test_a_journal_leads_to_its_own_decisions_and_code(
    tmp_path: Path, bad: float, code: int
) -> None:
    lines = _journal(tmp_path, bad)
    found = replay.journal(lines, None)
    assert found.code == code
    assert found.lines == (1, len(lines))
    assert found == replay.journal(lines, None)


def test_a_journal_under_another_policy_decides_by_that(tmp_path: Path) -> None:
    lines = _journal(tmp_path)
    patient = policy(dwell="9m", deadlines="{rollback: 1m}")
    found = replay.journal(lines, patient)
    assert found.code is Exit.HELD


@pytest.mark.parametrize(
    ("key", "invented"),
    [
        ("notes", [{"kind": "raised", "text": "5 % -> 100 %"}]),
        ("weight", 100),
        ("phase", "Promoted"),
        ("verdict", 0),
        ("actions", [{"setPercent": None}]),
    ],
)
def test_a_journal_of_another_mind_is_refused_by_its_line(
    tmp_path: Path, key: str, invented: object
) -> None:
    lines = _with_another_look(tmp_path, {key: invented})
    with pytest.raises(JournalError, match=rf"line \d+: this version decides: .*{key}"):
        replay.journal(lines, None)


def test_other_words_for_the_same_decision_are_no_other_decision(
    tmp_path: Path,
) -> None:
    lines = _with_another_look(tmp_path, {})
    notes = [{**note, "text": "otherwise"} for note in json.loads(lines[-1])["notes"]]
    (tmp_path / "again").mkdir()
    lines = _with_another_look(tmp_path / "again", {"notes": notes})
    assert "otherwise" in lines[-1]
    assert replay.journal(lines, None).lines == (1, len(lines))


def _with_another_look(folder: Path, changes: dict[str, object]) -> list[str]:
    """A journal up to the first look that says anything, with other values there."""
    lines = _journal(folder)
    entries = [json.loads(line) for line in lines]
    at = next(i for i, entry in enumerate(entries) if entry.get("notes"))
    content = {key: value for key, value in entries[at].items() if key != "hash"}
    line, _ = chain.link(entries[at - 1]["hash"], {**content, **changes})
    return [*lines[:at], line]


def test_a_broken_journal_is_refused_by_its_line(tmp_path: Path) -> None:
    lines = _journal(tmp_path)
    lines[4] = lines[4].replace("time", "tame")
    with pytest.raises(JournalError, match="line 5: the chain is broken"):
        replay.journal(lines, None)


def test_a_good_canary_in_csv_is_promoted() -> None:
    assert replay.counts(_csv((500, 1, 1)), TWO).code is Exit.PROMOTED


@pytest.mark.parametrize("canary", [(500, 100, 1), (500, 1, 100)])
def test_a_bad_one_is_rolled_back(canary: tuple[int, int, int]) -> None:
    found = replay.counts(_csv(canary), TWO)
    assert found.code is Exit.ROLLED_BACK
    assert len(found.notes) <= 3


def test_rows_before_the_canary_teach_what_the_stable_is_like() -> None:
    auto = policy(metrics=f"[{ERRORS}, {LATENCY}]", dependence="{clusterSize: auto}")
    late = replay.counts(_csv((500, 1, 1), 120, before=40), auto)
    assert late.code is Exit.PROMOTED
    steps = policy(metrics=f"[{ERRORS}, {LATENCY}]", steps="auto", dwell="10s")
    assert replay.counts(_csv((500, 1, 1), 120, before=40), steps).code is Exit.PROMOTED


def _askew(offset: float, canary_bad: int, resets: bool = False) -> list[str]:
    """Rows of both arms each 30 s, the canary's `offset` later; it may start anew."""
    rows: list[tuple[float, str]] = []
    for number in range(80):
        since = number % 40 if resets else number
        n, bad = 750 * since, canary_bad * since
        rows.append((30.0 * number + offset, f"canary,{n},{bad},0"))
        rows.append((30.0 * number, f"stable,{750 * number},{4 * number},0"))
    return [HEADER, *(f"{time},{row}" for time, row in sorted(rows))]


@pytest.mark.parametrize("offset", [0.0, 8.0, 15.0, 27.0])
def test_arms_whose_rows_come_at_other_times_are_decided(offset: float) -> None:
    assert replay.counts(_askew(offset, 79), TWO).code is Exit.ROLLED_BACK
    assert replay.counts(_askew(offset, 4), TWO).code is Exit.PROMOTED
    assert replay.counts(_askew(offset, 4, resets=True), TWO).code is Exit.PROMOTED


def test_rows_of_one_arm_may_come_after_all_of_the_others() -> None:
    header, *rows = _askew(8.0, 79)
    later = sorted(rows, key=lambda row: "stable" not in row)
    assert rows != later
    assert replay.counts([header, *later], TWO) == replay.counts(_askew(8.0, 79), TWO)


def test_a_gap_in_the_rows_decides_nothing_by_itself() -> None:
    lines = _askew(8.0, 4)
    assert replay.counts(lines[:30] + lines[50:], TWO).code is Exit.PROMOTED


def test_too_few_rows_decide_nothing() -> None:
    assert replay.counts(_csv((500, 1, 1), 3), TWO).code is Exit.HELD
    assert replay.counts([HEADER], TWO).code is Exit.HELD


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "line 1: expected time_s,arm"),
        (["a,b"], "line 1: expected time_s,arm,requests,errors,slow, got a,b"),
        ([HEADER, "0,canary,1"], "line 2: expected five fields"),
        (
            [HEADER, "0,canary,x,0,0"],
            "line 2, column requests: expected a number from 0, got 'x'",
        ),
        (
            [HEADER, "0,blue,1,0,0"],
            "line 2, column arm: expected canary or stable, got 'blue'",
        ),
        (
            [HEADER, "0,canary,1,2,0"],
            "line 2, column errors: expected a number from 0 to 1, the requests",
        ),
        ([HEADER, "0,canary,nan,0,0"], "line 2, column requests: expected a number"),
        ([HEADER, "inf,canary,1,0,0"], "line 2, column time_s: expected a number"),
        (
            [HEADER, "5,canary,1,0,0", "5,stable,1,0,0", "4,canary,1,0,0"],
            "line 4, column time_s: expected more than 5, the canary's time before",
        ),
    ],
)
def test_faults_in_csv_are_named_by_line(lines: list[str], said: str) -> None:
    with pytest.raises(RolloutError, match=said.replace("(", r"\(")):
        replay.counts(lines, TWO)
