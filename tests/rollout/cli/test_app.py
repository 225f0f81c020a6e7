"""The command line where no cluster is needed: usage, lint, plan, replay, help."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from scripts.canary import main
from scripts.local.processes import ROOT
from scripts.rollout.errors import Exit
from scripts.rollout.journal.file import FileJournal
from tests.rollout.journal.test_replay import HEADER
from tests.support.folder_world import FolderWorld
from tests.support.worlds import ERRORS, LATENCY, POLICY

VERBS = (
    *(
        "lint",
        "plan",
        "check",
        "run",
        "status",
        "pause",
        "resume",
        "approve",
        "promote",
    ),
    *("abort", "undo", "explain", "replay"),
)

Captured = pytest.CaptureFixture[str]


def _main(*args: str) -> int:
    try:
        return main([str(each) for each in args])
    except SystemExit as error:
        return int(error.code or 0)


@pytest.fixture
def policy(tmp_path: Path) -> str:
    """A policy file."""
    path = tmp_path / "rollout.yaml"
    path.write_text(POLICY)
    return str(path)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str, capsys: Captured) -> None:
    assert _main(verb, "--help") == 0
    assert "Usage: python -m scripts.canary" in capsys.readouterr().out


def test_help_names_every_exit_code(capsys: Captured) -> None:
    _main("--help")
    said = capsys.readouterr().out.split()
    assert [code for code in Exit if str(int(code)) not in said] == []


def test_lint_prints_the_whole_policy_as_json_and_yaml(
    policy: str, capsys: Captured
) -> None:
    assert _main("lint", "-f", policy, "-o", "json") == 0
    found = json.loads(capsys.readouterr().out)
    risk = {"falseRollback": 0.01, "badPromotion": 0.05, "badRaise": 0.25}
    assert found["risk"] == risk
    assert _main("lint", "-f", policy, "-o", "yaml") == 0
    assert yaml.safe_load(capsys.readouterr().out) == found


def test_a_wrong_policy_is_usage_with_every_fault(
    tmp_path: Path, capsys: Captured
) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("target: {inferenceservice: a}\nsteps: [9, 5]\ndwel: 5s\n")
    assert _main("lint", "-f", str(path)) == 2
    path.write_text("target: {}\ndwel: 5s\n")
    assert _main("run", "-f", str(path)) == 2
    said = capsys.readouterr().err
    assert "p.yaml:2: dwel: unknown key; did you mean dwell?" in said
    assert "target: backend local: expected inferenceservice" in said


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("rum",),
        ("run",),
        ("plan", "-f", "p", "--rps", "-1"),
        ("plan", "-f", "p", "--bad", "errors"),
        ("promote", "intent"),
        ("status", "intent", "-o", "table"),
        ("replay",),
    ],
)
def test_wrong_usage_is_2(args: tuple[str, ...], capsys: Captured) -> None:
    assert _main(*args) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("status", "intent"), "no rollout of default.intent"),
        (("abort", "intent"), "no rollout of default.intent"),
        (("undo", "intent"), "no rollout of default.intent"),
        (("replay", "none.jsonl"), "No such file or directory"),
        (("lint", "-f", "none.yaml"), "No such file or directory"),
    ],
)
def test_what_is_not_there_is_said_in_a_line(
    args: tuple[str, ...], said: str, tmp_path: Path, capsys: Captured
) -> None:
    folder = () if args[0] in ("replay", "lint") else ("--dir", str(tmp_path))
    assert _main(*args, *folder) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "args", [("lint", "-f"), ("run", "-f"), ("replay",), ("report",), ("feedback", "a")]
)
def test_a_file_that_is_no_text_is_said_in_a_line(
    args: tuple[str, ...], tmp_path: Path, capsys: Captured
) -> None:
    binary = tmp_path / "model.pkl"
    binary.write_bytes(bytes(range(128, 256)))
    for path, said in ((binary, "not UTF-8"), (tmp_path, "Is a directory")):
        assert _main(*args, str(path)) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"error: {path}: {said}")
        assert error.count("\n") == 1


def test_run_needs_something_to_roll_out(
    policy: str, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    for config, is_meant in (("/some/config", True), ("", False)):
        monkeypatch.setenv("KUBECONFIG", config)
        monkeypatch.setenv("HOME", str(tmp_path))
        assert _main("run", "-f", policy, "--dir", str(tmp_path)) == 2
        said = capsys.readouterr().err
        assert "apply it first" in said
        assert ("needs target.backend: knative" in said) is is_meant


def test_a_cluster_that_is_not_there_is_said_in_a_line(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    path = tmp_path / "p.yaml"
    path.write_text("target: {route: intent, backend: gateway}\n")
    assert _main("lint", "-f", str(path)) == 0
    assert _main("run", "-f", str(path), "--dir", str(tmp_path)) == 2
    assert "none is not there; set KUBECONFIG" in capsys.readouterr().err


def test_plan_says_steps_time_and_false_alarms(policy: str, capsys: Captured) -> None:
    args = ("plan", "-f", policy, "--rps", "50", "--bad", "errors=0.5%,latency=1%")
    assert _main(*args) == 0
    said = capsys.readouterr().out
    assert "steps 5/25/50" in said
    assert "then 30s of bake" in said
    assert re.search(r"false alarms in simulated A/A rollouts: [01] of 200", said)
    assert _main(*args, "-o", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [stay["weight"] for stay in found["stays"]] == [5, 25, 50]


def test_plan_refuses_impossible_budgets_and_names_possible_ones(
    policy: str, capsys: Captured
) -> None:
    assert _main("plan", "-f", policy, "--rps", "0.1", "-o", "json") == 2
    said = capsys.readouterr().err
    assert "cannot be shown within deadlines.rollout at this traffic" in said
    assert "would take" in said


@pytest.mark.parametrize(("bad", "code"), [(0.0, 0), (0.3, 10)])
def test_replay_ends_with_the_code_of_the_run(
    bad: float, code: int, tmp_path: Path, capsys: Captured
) -> None:
    cluster = FolderWorld(tmp_path, bad)
    cluster.runner().run()
    assert _main("replay", str(cluster.journal.path)) == code
    said = capsys.readouterr().out
    assert f"exit code {code}; lines 1 to " in said
    told = [json.loads(line) for line in cluster.journal.path.read_text().splitlines()]
    (first,) = (
        each["seen"]["time"]
        for each in told
        if any(note["kind"] == "raised" for note in each.get("notes", ()))
        and each["weight"] == 5
    )
    assert f"\n+{first // 60:.0f}m{first % 60:02.0f}s first step: 5 %\n" in said


@pytest.mark.parametrize(
    ("began", "at"),
    [(60, "+1m10s"), (1.8e9, time.strftime("%H:%M:%S", time.localtime(1.8e9 + 10)))],
)
def test_replay_reads_csv_from_standard_input_and_prints_times_for_people(
    policy: str, began: float, at: str
) -> None:
    rows = [
        f"{began + i * 10},{arm},{500 * i},{b * i},0"
        for i in range(30)
        for arm, b in ARMS
    ]
    done = subprocess.run(
        [sys.executable, "-m", "scripts.canary", "replay", "-", "--policy", policy],
        cwd=ROOT,
        input="\n".join([HEADER, *rows]) + "\n",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 10, done.stderr
    assert done.stdout.startswith(f"{at} errors: 20.00% against 0.00%")


ARMS = (("canary", 100), ("stable", 0))


def test_csv_without_a_policy_is_usage(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "counters.csv"
    path.write_text(HEADER + "\n")
    assert _main("replay", str(path)) == 2
    assert "counters as CSV need --policy FILE" in capsys.readouterr().err


def test_status_and_explain_read_a_rollout_that_nobody_runs(
    tmp_path: Path, capsys: Captured
) -> None:
    cluster = FolderWorld(tmp_path)
    for _ in range(4):
        cluster.runner().run(once=True)
    cluster.journal.folder.parent.joinpath("rollouts").mkdir()
    cluster.journal.folder.rename(tmp_path / "rollouts" / "default.intent")
    folder = ("--dir", str(tmp_path))
    assert _main("status", "intent", *folder) == 0
    said = capsys.readouterr().out
    assert said.startswith("default.intent  r-00001 -> r-00002  Step at 5 % of 5/25/50")
    assert "eta " not in said
    assert "no promoter is at work (last look " in said
    with FileJournal(tmp_path / "rollouts" / "default.intent").lock():
        assert _main("status", "intent", *folder) == 0
    said = capsys.readouterr().out
    assert "eta " in said
    assert "no promoter is at work" not in said
    assert _main("explain", "intent", *folder) == 0
    said = capsys.readouterr().out
    assert "no promoter is at work (last look " in said
    assert "errors: outcomes in clusters of 1 (policy)" in said
    assert "waits for: 10s more at 5 %" in said
    assert _main("status", "intent", "--wait", "--timeout", "0.1", *folder) == 20
    assert _main("explain", "intent", "-o", "json", *folder) == 0
    assert _main("pause", "intent", *folder) == 0
    assert "no promoter is running" in capsys.readouterr().out


GOOD, WORSE, SLOW, BOTH = (
    [("canary", n, a), ("stable", n, b)]
    for n, a, b in (
        (500, "0,0", "0,0"),
        (500, "15,0", "5,0"),
        (500, "0,50", "0,0"),
        (500, "150,0", "150,0"),
    )
)
WIDE = f"metrics: [{ERRORS.replace('2%', '25%')}, {LATENCY}]"
NEVER = "risk: {badPromotion: 1e-250}"
KEYS = {
    "as it is, good": (GOOD, "", 0),
    "as it is, worse": (WORSE, "", 10),
    "as it is, slow": (SLOW, "", 10),
    "both fail": (BOTH, WIDE, 20),
    "steps": (GOOD, f"steps: {list(range(1, 30))}", 20),
    "dwell": (GOOD, "dwell: 9m", 20),
    "bake": (GOOD, "bake: {duration: 9m}", 20),
    "risk.falseRollback": (WORSE, "risk: {falseRollback: 1e-90}", 20),
    "risk.badPromotion": (GOOD, NEVER, 20),
    "budget": (GOOD, f"metrics: [{ERRORS.replace('2%', '0.01%')}]", 20),
    "slo": (SLOW, f"metrics: [{ERRORS}, {LATENCY.replace('250ms', '1ms')}]", 10),
    "mode": (SLOW, f"metrics: [{ERRORS}, {LATENCY[:-1]}, mode: observe}}]", 0),
    "guards.maxErrorRate": (BOTH, f"guards: {{maxErrorRate: 90%}}\n{WIDE}", 0),
    "dependence.clusterSize": (WORSE, "dependence: {clusterSize: 200}", 20),
    "dependence.assumed": (GOOD, "dependence: {assumed: 200}", 20),
    "risk.badRaise": (GOOD, "risk: {badPromotion: 1e-200, badRaise: 1e-200}", 20),
    "deadlines.step": (GOOD, f"deadlines: {{step: 21s}}\n{NEVER}", 20),
    "onInconclusive": (
        GOOD,
        f"deadlines: {{step: 21s}}\nonInconclusive: rollback\n{NEVER}",
        11,
    ),
    "pauseAt": (GOOD, "pauseAt: [25]", 21),
}


@pytest.mark.parametrize(("rows", "line", "code"), KEYS.values(), ids=KEYS)
def test_every_key_changes_what_is_decided(
    rows: list[tuple[str, int, str]], line: str, code: int, tmp_path: Path
) -> None:
    """From a policy file and counters to the exit code: 40 scrapes of ten seconds."""
    changed = {each.split(":")[0] for each in line.splitlines()}
    kept = [each for each in POLICY.splitlines() if each.split(":")[0] not in changed]
    if "metrics" not in changed:
        kept = [each for each in kept if not each.startswith("metrics")]
        kept.append(f"metrics: [{ERRORS}, {LATENCY}]")
    path, counters = tmp_path / "p.yaml", tmp_path / "counters.csv"
    path.write_text("\n".join([*kept, line]))
    lines = [HEADER]
    for number in range(40):
        for arm, n, bad in rows:
            errors, slow = (int(each) * number for each in bad.split(","))
            lines.append(f"{number * 10},{arm},{n * number},{errors},{slow}")
    counters.write_text("\n".join(lines))
    assert _main("replay", str(counters), "--policy", str(path)) == code
