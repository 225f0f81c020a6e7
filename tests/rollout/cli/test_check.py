"""`check` on the stable's own past: what holds, what does not, and where to look."""

import json
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from scripts.canary import main
from scripts.rollout import wiring
from scripts.rollout.cli import check
from scripts.rollout.metrics.port import (
    ERRORS,
    READ_AT,
    REQUESTS,
    TIMED,
    Reading,
    Scraped,
)
from scripts.rollout.policy.reader import parse

Captured = pytest.CaptureFixture[str]
HEADER = "time_s,arm,requests,errors,slow"
TEXT = """
target: {inferenceservice: intent}
steps: auto
metrics: [{name: errors, budget: 2%}]
"""


@pytest.fixture(autouse=True)
def _few_rollouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "ROLLOUTS", 40)


def _checked(
    folder: Path, capsys: Captured, rates: list[float], more: str = ""
) -> tuple[int, dict[str, dict[str, object]]]:
    """Exit code, and the conditions by name."""
    random, rows, total, bad = np.random.default_rng(1), [HEADER], 0, 0
    for number, rate in enumerate(rates):
        total, bad = total + 500, bad + int(random.binomial(500, rate))
        rows.append(f"{10 * number},stable,{total},{bad},0")
    (folder / "p.yaml").write_text(TEXT + more)
    (folder / "past.csv").write_text("\n".join(rows))
    args = ["check", "-f", str(folder / "p.yaml"), "-o", "json"]
    code = main([*args, "--from-file", str(folder / "past.csv")])
    found = json.loads(capsys.readouterr().out)
    assert found["holds"] is (code == 0)
    return code, {each["condition"]: each for each in found["conditions"]}


def test_all_holds_on_a_calm_stable(tmp_path: Path, capsys: Captured) -> None:
    code, found = _checked(tmp_path, capsys, [0.005] * 360)
    assert code == 0
    assert found["errors: clusters"]["found"] == "1 in 10s, 1 in 1m00s, 1 in 5m00s"
    assert found["false rollbacks, own trouble"]["holds"] is True
    assert found["pods are read"]["holds"] is None


def test_trouble_of_minutes_is_found_on_its_time_scale(
    tmp_path: Path, capsys: Captured
) -> None:
    rates = ([0.005] * 60 + [0.1] * 20) * 5
    iid = "dependence: {clusterSize: 1}"
    code, found = _checked(tmp_path, capsys, rates, iid)
    assert code == 20
    assert found["errors: clusters"]["holds"] is False
    sizes = [
        float(each.split()[0])
        for each in str(found["errors: clusters"]["found"]).split(", ")
    ]
    assert sizes == sorted(sizes)
    assert sizes[-1] > 4 * sizes[0]
    assert found["false rollbacks, own trouble"]["holds"] is False
    assert found["false rollbacks, shared trouble"]["holds"] is True


def test_pods_that_differ_by_more_than_chance_are_named() -> None:
    policy = parse(TEXT, "test")
    first = {"le:0": 0.0, "requests": 0.0, "errors": 0.0}
    last = [{**first, "requests": 9000.0, "errors": errors} for errors in (45.0, 180.0)]
    readings: list[tuple[float, Reading]] = [
        (0.0, {"stable": {"a": first, "b": first}}),
        (10.0, {"stable": {"a": last[0], "b": last[1]}}),
    ]
    past = check._past(policy, readings, "stable")
    line = check._between_pods(policy, past, "errors")
    assert (line.found, line.holds) == ("2, 0.50% to 2.00%", False)


def test_pods_that_are_read_at_other_seconds_are_told() -> None:
    policy = parse(TEXT, "test")
    assert check._read_skew(policy, (0.0, 0.4)).holds
    late = check._read_skew(policy, (0.0, 12.0))
    assert (late.found, late.holds) == ("12.0 s apart", False)


class Kept:
    """A source of two pods; `scrapes` of its past are kept, or none."""

    def __init__(self, scrapes: int) -> None:
        """Nothing was read yet."""
        self._random, self._scrapes, self._now = np.random.default_rng(1), scrapes, 0.0
        self._pods = {pod: {REQUESTS: 0.0, ERRORS: 0.0, TIMED: 0.0} for pod in "ab"}

    def read(self, revisions: Sequence[str]) -> Scraped:
        """Return what each pod has counted, and when it was read."""
        self._now += 10
        for pod, sample in self._pods.items():
            sample[REQUESTS] += 500
            sample[ERRORS] += float(self._random.binomial(500, 0.01))
            sample[READ_AT] = self._now + (3.0 if pod == "b" else 0.0)
        pods = {pod: dict(sample) for pod, sample in self._pods.items()}
        return Scraped(dict.fromkeys(revisions, pods))

    def history(
        self, revision: str, seconds: float, step: float
    ) -> list[tuple[float, Reading]]:
        """Return the scrapes that are kept."""
        del seconds, step
        times = range(0, 10 * self._scrapes, 10)
        return [(float(time), self.read([revision]).reading) for time in times]


@pytest.mark.parametrize("scrapes", [0, 121])
def test_a_source_is_asked_for_its_past_and_looked_at_where_it_keeps_none(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch, scrapes: int
) -> None:
    (tmp_path / "p.yaml").write_text(TEXT)
    view = SimpleNamespace(rolledout="stable")
    route = SimpleNamespace(observe=lambda: view)
    monkeypatch.setattr(wiring, "placed", lambda _, policy: policy)
    monkeypatch.setattr(wiring, "traffic", lambda *_: route)
    monkeypatch.setattr(wiring, "metrics", lambda *_: Kept(scrapes))
    clock = count(1000.0, 10.0)
    slept: list[float] = []
    still = SimpleNamespace(time=lambda: next(clock), sleep=slept.append)
    monkeypatch.setattr(check, "time", still)
    args = ["check", "-f", str(tmp_path / "p.yaml"), "-o", "json", "--looks", "60"]
    main(args)
    found = json.loads(capsys.readouterr().out)["conditions"]
    lines = {each["condition"]: each for each in found}
    assert lines["errors: clusters"]["found"].startswith("1 in 10s")
    assert lines["errors: pods of the stable"]["found"].startswith("2, ")
    assert lines["pods are read"] == {
        "condition": "pods are read",
        "found": "3.0 s apart",
        "needed": "at most 1 s",
        "holds": False,
    }
    assert len(slept) == (0 if scrapes else 60)


def test_a_fault_of_the_file_names_it_with_line_and_column(
    tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "p.yaml").write_text(TEXT)
    (tmp_path / "past.csv").write_text(f"{HEADER}\n10,stable,5,x,0\n")
    args = ["check", "-f", str(tmp_path / "p.yaml")]
    assert main([*args, "--from-file", str(tmp_path / "past.csv")]) == 2
    said = capsys.readouterr().err
    assert f"{tmp_path / 'past.csv'}: line 2, column errors: expected a number" in said


def test_a_past_of_one_scrape_says_so(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "p.yaml").write_text(TEXT)
    (tmp_path / "past.csv").write_text(f"{HEADER}\n10,stable,5,0,0\n")
    args = ["check", "-f", str(tmp_path / "p.yaml")]
    assert main([*args, "--from-file", str(tmp_path / "past.csv")]) == 2
    assert "scrapes of the stable: nothing to check" in capsys.readouterr().err
