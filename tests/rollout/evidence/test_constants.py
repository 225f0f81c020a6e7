"""Every number that evidence and decisions rest on says what it is for."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.local.processes import ROOT

ROLLOUT = ROOT / "scripts" / "rollout"
FILES = [*ROLLOUT.glob("evidence/*.py"), *ROLLOUT.glob("decision/*.py")]
KINDS = ("# Tunable", "# All tunable", "# Guarantee", "# A unit")


def _silent(source: str) -> Iterator[str]:
    """Module constants with a number in them which have no comment of their own, or
    stand in a block of lines that says not whether they may be tuned.
    """
    lines = ["", *source.splitlines()]
    for node in ast.parse(source).body:
        inside = (each for each in ast.walk(node) if isinstance(each, ast.Constant))
        is_number = any(type(each.value) in (int, float) for each in inside)
        if not isinstance(node, ast.Assign) or not is_number:
            continue
        own = lines[node.lineno - 1 : node.lineno + 1]
        start = node.lineno
        while lines[start]:
            start -= 1
        block = "\n".join(lines[start : node.lineno])
        is_said = own[0].startswith("#") or "  # " in own[1]
        if not is_said or not any(kind in block for kind in KINDS):
            yield ast.unparse(node.targets[0])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_number_says_why_and_whether_it_may_be_tuned(path: Path) -> None:
    assert list(_silent(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    ["BARE = 3.0", "# Why.\nUNDECIDED = 3.0", "# Tunable: why.\nONE = 1\nBARE = 3"],
)
def test_one_that_does_not_is_seen(source: str) -> None:
    assert len(list(_silent(f"import math\n\n{source}\n"))) == 1
