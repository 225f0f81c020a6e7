"""Pairs of answers: what they count, and what true labels say of them."""

import io
import json
from math import comb
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from rich.table import Table

from scripts.rollout.decision.explaining import reasons
from scripts.rollout.decision.machine import Machine
from scripts.rollout.errors import Exit
from scripts.rollout.evidence import one_sample
from scripts.rollout.evidence.processes import EXCESSES
from scripts.rollout.journal.saved import Saved
from scripts.rollout.report import tables
from scripts.rollout.report.summary import summary
from scripts.rollout.shadow import pairs
from scripts.rollout.shadow.pairs import Disagreements, Outcome, Pair
from scripts.rollout.state.actions import Request
from scripts.rollout.state.observation import Delta, PairedDelta
from scripts.rollout.state.state import Phase
from tests.support.commands import run
from tests.support.folder_world import FolderWorld
from tests.support.worlds import ERRORS, LABELS, LATENCY, Rollout, policy

LOW = "{name: low, bad: confidence<0.5, budget: 2%, mode: observe}"
APART = "{name: apart, shadow: predicted_label, tolerance: 10%}"
ACCURACY = "{name: accuracy, feedback: label, weight: 3}"
SHADOW = policy(
    shadow="{share: 50%}",
    metrics=f"[{ERRORS}, {LATENCY}, {LABELS}, {LOW}, {APART}, {ACCURACY}]",
)


def _feedback(**labels: str) -> Request:
    return Request(pairs.FEEDBACK, json.dumps(labels))


def _answer(label: str = "", confidence: float = 0.9, seconds: float = 0.1) -> Outcome:
    return Outcome(seconds, (label,), (confidence,)) if label else Outcome(seconds)


def test_each_metric_counts_what_pairs_say_of_it() -> None:
    failed, sure = _answer(), _answer("a")
    unsure = _answer("b", 0.4, 0.3)
    found = pairs.count_pairs(
        SHADOW,
        [
            Pair("1", failed, sure),
            Pair("2", unsure, sure),
            Pair("3", sure, sure),
            Pair("4", failed, failed),
            Pair("5", sure, failed),
        ],
    )
    assert found == {
        "errors": (1, 1, 1, 5),
        "latency": (2, 1, 1, 5),
        "low": (1, 0, 0, 2),
        "apart": (1, 0, 0, 2),
    }


def test_a_batch_fails_once_and_is_labelled_text_by_text() -> None:
    canary = Outcome(0.1, ("a", "b", "c"), (0.9, 0.4, 0.9))
    stable = Outcome(0.1, ("a", "a", "a"), (0.9, 0.9, 0.9))
    pair = Pair("r", canary, stable)
    assert pairs.count_pairs(SHADOW, [pair]) == {
        "errors": (0, 0, 0, 1),
        "latency": (0, 0, 0, 1),
        "low": (1, 0, 0, 3),
        "apart": (2, 0, 0, 3),
    }
    known = pairs.add_disagreements({}, [pair], 25)
    assert known == {"r/1": ("b", "a", 25), "r/2": ("c", "a", 25)}


def _apart(*names: str, percent: int = 5) -> Disagreements:
    found = [Pair(name, _answer("a"), _answer("b")) for name in names]
    return pairs.add_disagreements({}, found, percent)


def test_a_true_label_counts_once_and_only_where_one_arm_is_right() -> None:
    same = Pair("r3", _answer("a"), _answer("a"))
    before = _apart("old", "r0", "r1", "r2")
    known = pairs.add_disagreements(before, [same], 5)
    assert set(known) == {"old", "r0", "r1", "r2"}
    labels = {"r0": "b", "r1": "a", "r2": "c", "r3": "a", "gone": "b"}
    rest, (found,) = pairs.judge_disagreements(SHADOW, known, [_feedback(**labels)])
    assert found == PairedDelta("feedback", {"accuracy": (1, 1, 0, 2)}, percent=5)
    assert set(rest) == {"old"}
    assert pairs.judge_disagreements(SHADOW, rest, [_feedback(**labels)]) == (rest, ())


def test_labels_are_counted_by_the_weight_at_which_users_got_the_answers() -> None:
    known = {**_apart("r0", "r1", percent=50), **_apart("r2", percent=95)}
    labels = _feedback(r0="b", r1="a", r2="b")
    _, found = pairs.judge_disagreements(SHADOW, known, [labels])
    assert [(each.percent, each.metrics["accuracy"]) for each in found] == [
        (50, (1, 1, 0, 2)),
        (95, (1, 0, 0, 1)),
    ]


def test_the_oldest_pairs_are_forgotten_first() -> None:
    known = _apart(*(f"r{i}" for i in range(pairs.MOST_APART + 10)))
    assert len(known) == pairs.MOST_APART
    assert "r9" not in known


@pytest.mark.parametrize("limit", [0.05, 0.5])
@pytest.mark.parametrize("n", [1, 7, 40])
def test_a_limit_that_is_kept_is_worth_one_on_average(limit: float, n: int) -> None:
    bad = np.arange(n + 1.0)
    chance = np.array(
        [comb(n, k) * limit**k * (1 - limit) ** (n - k) for k in range(n + 1)]
    )
    logs = one_sample.log_e(np.array(limit), bad, np.full(n + 1, float(n)), EXCESSES)
    expected = (chance[:, None] * np.exp(logs)).sum(axis=0)
    np.testing.assert_allclose(expected, 1.0, rtol=1e-9)


def _beside(name: str, *row: float, percent: int = 0) -> PairedDelta:
    """Return counts of pairs: only the canary bad, only the stable, both, how many."""
    counted = (row[0], row[1], row[2], row[3])
    return PairedDelta("test", {name: counted}, percent=percent)


def test_evidence_without_users_comes_before_the_first_weight() -> None:
    rollout = Rollout.begun(SHADOW)
    rollout.until(Phase.STEP, 0)
    assert rollout.state.steps == (0, 5, 25, 50)
    for _ in range(10):
        rollout.look()
    assert rollout.state.weight == 0
    good = tuple(_beside(name, 0, 0, 0, 2000) for name in ("errors", "latency", "low"))
    for _ in range(5):
        rollout.look(beside=good)
    assert rollout.state.weight > 0


def test_pairs_are_shown_beside_users_and_the_last_gate_says_whom_it_counts() -> None:
    rollout, policy = Rollout.begun(SHADOW), Machine(SHADOW).rules.policy
    rollout.until(Phase.STEP, 0)
    rows = {"errors": (2.0, 1.0, 3.0, 2000.0), "latency": (0.0, 0.0, 0.0, 2000.0)}
    beside = (PairedDelta("shadow", {**rows, "apart": (20.0, 0.0, 0.0, 2000.0)}),)
    while rollout.state.step < len(rollout.state.steps) - 1:
        rollout.look(beside=beside, n=200)
    found = summary(policy, Saved(rollout.state, ""))
    said = [line.split() for line in _printed(tables.arms(found)).splitlines()]
    pairs = next(line for line in said if line[:2] == ["in", "pairs"])
    assert pairs[2:] == ["0.25%", *pairs[3:4], "0.20%", *pairs[5:6], "+0.05"]
    assert next(line for line in said if line[0] == "apart")[-1] == "+1.00"
    waits = [each for each in found["waitingFor"] if each.startswith("errors: ")]
    assert "by users' requests alone, about" in waits[0]


def _printed(table: Table) -> str:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(table)
    return console.export_text()


def test_answers_that_differ_too_often_roll_back_at_zero_percent() -> None:
    rollout = Rollout.begun(SHADOW)
    rollout.until(Phase.STEP, 0)
    for _ in range(3):
        rollout.look(beside=(_beside("apart", 60, 0, 0, 200),))
    assert rollout.state.code is Exit.ROLLED_BACK
    assert rollout.state.reason.startswith("apart: 30.00% against 0.00%")


def test_what_is_only_shown_is_no_evidence() -> None:
    rollout = Rollout.begun(SHADOW)
    rollout.until(Phase.STEP, 0)
    shown = PairedDelta("test", {"errors": (900.0, 0.0, 0.0, 900.0)}, counts=False)
    for _ in range(5):
        rollout.look(beside=(shown,))
    assert rollout.state.phase is Phase.STEP


def test_a_policy_without_pairs_decides_another_ones_looks_without_them() -> None:
    rollout = Rollout.begun()
    rollout.until(Phase.STEP, 5)
    rollout.look(beside=(_beside("errors", 900, 0, 0, 900),))
    assert rollout.state.phase is Phase.STEP


def test_true_labels_against_it_roll_a_canary_back() -> None:
    rollout = Rollout.begun(SHADOW)
    rollout.until(Phase.STEP, 0)
    rollout.look(beside=(_beside("accuracy", 6, 6, 0, 12),))
    assert rollout.state.phase is Phase.STEP
    rollout.look(beside=(_beside("accuracy", 38, 2, 0, 40),))
    assert rollout.state.reason.startswith(
        "accuracy: where both differ, wrong in 44 of 52"
    )


def test_an_alarm_of_drift_names_the_labels_that_moved() -> None:
    rollout = Rollout.begun()
    rollout.until(Phase.STEP, 25)
    labels = {"hello": (700.0, 600.0), "bye": (50.0, 600.0), "why": (0.0, 10.0)}
    for _ in range(8):
        rollout.look(delta=Delta({}, labels))
    assert rollout.state.judged is not None
    assert "hello 49.66% -> 85.96%, bye 49.66% -> 14.04%" in reasons.moved(
        rollout.state.judged
    )
    assert "apart from the stable's: hello 49.66% -> 85.96%" in rollout.state.reason


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "labels: no rows"),
        ("name,label\n", "labels:1: expected columns id,label, got name,label"),
        ("id,label\na,\n", "labels:2: expected an id and a label, both texts"),
        ('{"id": "a"}\n', "labels:1: expected an id and a label, both texts"),
        ('{"id": 7, "label": "b"}\n', "labels:1: expected an id and a label"),
        ('{"id": "a",\n', "labels:1: not JSON: "),
    ],
)
def test_a_wrong_row_is_said_with_its_line(
    tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "labels").write_text(text)
    code, told = run("scripts.canary", "feedback", "intent", str(tmp_path / "labels"))
    assert (code, said in told) == (2, True), told


def test_feedback_without_its_metric_is_refused(tmp_path: Path) -> None:
    cluster = FolderWorld(tmp_path)
    cluster.runner().run(once=True)
    (tmp_path / "rollouts").mkdir()
    cluster.journal.folder.rename(tmp_path / "rollouts" / "default.intent")
    file = tmp_path / "labels"
    file.write_text('{"id": "a", "label": "b"}\n')
    code, told = run(
        "scripts.canary", "feedback", "intent", str(file), "--dir", str(tmp_path)
    )
    assert (code, "no metric of this rollout's policy" in told) == (2, True), told
