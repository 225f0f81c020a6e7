"""docs/decisions.md and docs/proofs.md say what is so: sessions, numbers, names.

Their commands and links are checked by tests/test_pages.py, as those of every page.
"""

import os
import re
import subprocess
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from scripts.local.processes import ROOT
from scripts.rollout.decision.explaining import explain
from scripts.rollout.decision.machine import Machine
from scripts.rollout.decision.measurement import Rules
from scripts.rollout.journal import replay
from scripts.rollout.policy import reader
from scripts.rollout.state.state import Decision, State
from tests.support import documentation

DECISIONS = (ROOT / "docs" / "decisions.md").read_text(encoding="utf-8")
PROOFS = (ROOT / "docs" / "proofs.md").read_text(encoding="utf-8")
SESSIONS = re.findall(r"^```console\n\$ (.*)\n((?:.*\n)*?)```$", DECISIONS, re.M)
EXAMPLES = ROOT / "docs" / "examples"
POLICY = reader.read(EXAMPLES / "policy.yaml")
NAMED = re.findall(r"\| `(\w+/\w+\.py)` (.*) \|$", PROOFS, re.M)


@pytest.mark.parametrize(("command", "printed"), SESSIONS)
def test_a_session_prints_what_the_page_shows(
    tmp_path: Path, command: str, printed: str
) -> None:
    documentation.install(tmp_path / "programs", ROOT)
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"PATH": f"{tmp_path / 'programs'}:{os.environ['PATH']}"},
    )
    assert done.stdout == printed


def _decisions(name: str) -> list[Decision]:
    """Those of `replay` on an example."""
    found: list[Decision] = []
    step = Machine.step

    def kept(*args: Any) -> Decision:
        found.append(step(*args))
        return found[-1]

    with patch.object(Machine, "step", kept):
        replay.counts((EXAMPLES / f"{name}.csv").read_text().splitlines(), POLICY)
    return found


def _row(state: State) -> str:
    """What the page's tables show of one look."""
    judged, design = state.judged, Rules(POLICY).design(state.steps)
    assert judged is not None
    row = explain.rows(POLICY, design, judged, 0)[0]
    arms = [f"{arm.bad:.0f} of {arm.n:.0f}" for arm in (row.canary, row.stable)]
    values = [float(judged.evidence.sum_against(design)), row.gate]
    cells = [f"{state.now:.0f}", *arms, *(f"{each:.3g}" for each in values)]
    return f"| {' | '.join(cells)} |"


@pytest.mark.parametrize(("name", "looks"), [("as-good", 4), ("worse", 6)])
def test_the_tables_hold_the_numbers_of_each_look(name: str, looks: int) -> None:
    rows = [_row(each.state) for each in _decisions(name)[:looks]]
    assert "\n".join(rows) in DECISIONS


@pytest.mark.parametrize(("file", "names"), NAMED)
def test_what_the_proofs_name_is_there(file: str, names: str) -> None:
    source = (ROOT / "scripts" / "rollout" / file).read_text(encoding="utf-8")
    found = [each.split(".")[-1] for each in re.findall(r"`([\w.]+)`", names)]
    assert found
    assert [n for n in found if not re.search(rf"(def|class) {n}\b", source)] == []


def test_sources_name_sections_that_the_proofs_have() -> None:
    sections = re.findall(r"^## (.*)$", PROOFS, re.M)
    files = (ROOT / "scripts" / "rollout").rglob("*.py")
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    quoted = re.findall(r"docs/proofs\.md, ((?:\"[^\"]+\"(?: and )?)+)", text)
    named = [name for each in quoted for name in re.findall(r'"([^"]+)"', each)]
    assert named
    assert [n for n in named if not any(s.startswith(n) for s in sections)] == []
