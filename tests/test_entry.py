"""What the command lines share: names, exit codes, no traceback, help at once."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import canary, infer
from scripts.entry import CommandLine, program
from scripts.local import __main__ as local
from scripts.local.processes import ROOT
from scripts.rollout.cli import app
from tests.support.commands import run

HEAVY = ("numpy", "pydantic", "urllib3", "requests", "kubernetes", "tritonclient")
LOADED = """
import json, runpy, sys
module, *sys.argv = sys.argv[1:]
try:
    runpy.run_module(module, run_name="__main__")
finally:
    print("\\n" + json.dumps(list(sys.modules)))
"""
INSTALLED = """
import sys
sys.argv[0] = "intent-canary"
from scripts.canary import main
sys.exit(main())
"""
LINES = {
    "scripts.canary": app.CANARY,
    "scripts.local": local.COMMANDS,
}
HELP = [
    ["scripts.infer"],
    *([module] for module in LINES),
    *(
        [module, verb.callback.__name__]
        for module, line in LINES.items()
        for verb in line.app.registered_commands
        if verb.callback
    ),
]


@pytest.mark.parametrize(
    ("called", "name"),
    [
        ("/usr/bin/intent-canary", "intent-canary"),
        ("kubectl-intent_canary", "kubectl intent-canary"),
        ("scripts/canary.py", "python -m scripts.canary"),
        ("/usr/bin/pytest", "python -m scripts.canary"),
    ],
)
def test_a_program_is_called_what_the_person_called(called: str, name: str) -> None:
    assert program(called, "scripts.canary") == name


@pytest.mark.parametrize("command", HELP, ids=" ".join)
def test_help_imports_nothing_that_takes_long(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, command[0], *command, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    shown, _, loaded = done.stdout.rstrip().rpartition("\n")
    assert f"Usage: python -m {' '.join(command)} " in shown
    # typer itself reads a verb's options with pydantic.
    heavy = {*HEAVY} - {"pydantic"} if len(command) > 1 else {*HEAVY}
    assert not heavy & {*json.loads(loaded)}


def _ending(error: BaseException) -> CommandLine:
    line = CommandLine("scripts.x", failed=7, interrupted="stopped", fault=LookupError)

    @line.verb
    def fail() -> int:
        raise error

    return line


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (LookupError("no such thing"), 7, "error: no such thing"),
        (IsADirectoryError(21, "Is a directory", "x"), 7, "error: x: Is a directory"),
        (KeyboardInterrupt(), 130, "stopped"),
    ],
)
def test_what_goes_wrong_is_a_line_and_a_code(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _ending(error).run([]) == code
    assert capsys.readouterr().err == f"{said}\n"


def test_a_bug_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        _ending(ZeroDivisionError()).run([])


@pytest.mark.parametrize(
    "command",
    [
        ["scripts.canary", "lint", "-f", "manifests/rollout.yaml", "-o", "yaml"],
        ["scripts.canary", "--help"],
        ["scripts.infer", "hi", "--url", "http://127.0.0.1:9"],
    ],
    ids=" ".join,
)
def test_a_reader_that_goes_away_is_no_fault(command: list[str]) -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    running.stdout.close()
    assert running.stderr is not None
    said = running.stderr.read()
    running.stderr.close()
    assert running.wait(timeout=60) == 1
    assert "Traceback" not in said
    assert "BrokenPipe" not in said


def _complete(words: str, cwd: Path) -> list[str]:
    asked = {
        "_INTENT_CANARY_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-c", INSTALLED],
        cwd=cwd,
        env=os.environ | asked,
        capture_output=True,
        text=True,
    )
    return done.stdout.split()


def test_the_shell_completes_verbs_flags_and_the_names_of_rollouts(
    tmp_path: Path,
) -> None:
    for name in ("default.intent", "default.intake", "default.other", "prod.in"):
        (tmp_path / ".local" / "rollouts" / name).mkdir(parents=True)
        (tmp_path / "else" / "rollouts" / name.upper()).mkdir(parents=True)
    assert _complete("intent-canary re", tmp_path) == ["resume", "replay", "report"]
    assert _complete("intent-canary status --cl", tmp_path) == ["--cluster"]
    assert _complete("intent-canary status in", tmp_path) == ["intake", "intent"]
    assert _complete("intent-canary abort -n prod i", tmp_path) == ["in"]
    assert _complete("intent-canary watch --dir else -n DEFAULT O", tmp_path) == [
        "OTHER"
    ]


def test_an_installed_program_shows_its_completion_for_the_shell() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INSTALLED, "--show-completion", "bash"],
        cwd=ROOT,
        env=os.environ | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        capture_output=True,
        text=True,
    )
    assert "complete -o default -F _intent_canary_completion intent-canary" in (
        done.stdout
    )


def test_local_refuses_a_percent_above_100(tmp_path: Path) -> None:
    patch = ("patch", "intent", "--percent", "101")
    code, said = run("scripts.local", "--dir", str(tmp_path), *patch)
    assert code == 2
    assert "--percent: expected an integer from 0 to 100, or none; got '101'" in said


@pytest.mark.parametrize(
    ("main", "arguments", "said"),
    [
        (infer.main, ["--concurrency", "many", "hi"], "'--concurrency': expected 1"),
        (infer.main, ["--count", "0", "hi"], "'--count': expected 1 or more, got '0'"),
        (local.main, ["apply", "-f", "x", "--port", "high"], "'--port'"),
        (canary.main, ["status", "x", "--timeout", "soon"], "'--timeout': expected a"),
        (canary.main, ["plan", "-f", "x", "--bad", "a"], "expected metric=percent"),
    ],
)
def test_a_value_that_does_not_fit_names_its_option(
    main: Callable[[list[str]], int],
    arguments: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(arguments) == 2
    assert said in capsys.readouterr().err
