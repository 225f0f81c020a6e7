"""The page with a cluster's rollouts beside this machine's: live, steered, ended."""

from pathlib import Path

import pytest

from tests.rollout.dashboard.test_page import TOO_WIDE
from tests.support.clicked import click, says
from tests.support.cluster_stage import RPS, ClusterStage
from tests.support.shown import Shown, started
from tests.support.stage import POLICY, STABLE
from tests.support.tab import tab

# Long enough for a person to go on before it does.
WAITS = POLICY.replace("dwell: 1s", "dwell: 50s")
ENDED = "document.getElementById('ended').innerText"
# The canary's count in the first row, which changes with each look.
COUNTED = """
[...document.querySelectorAll("article")].find((each) => each.querySelector("h3")
  .textContent === "{target}").querySelector(".rows tbody tr td").textContent
"""


@pytest.mark.alone
def test_a_jobs_rollout_and_one_from_outside_are_steered_by_clicks(
    on: ClusterStage, tmp_path: Path
) -> None:
    target, local = f"{on.backend.namespace}.intent", "default.here"
    Shown(on.folder, "here").looks(3)
    process, address = started("--dir", str(on.folder))
    first = on.version("v2")
    on.permit()
    with tab(tmp_path) as page, on.users(RPS):
        page.open(address)
        says(page, local, "Step at 5 %", "this machine")
        on.job(WAITS)
        says(page, target, "cluster ", f"{STABLE} → {first}", "Step at 10 %")
        counted = COUNTED.format(target=target).strip()
        page.until(f"{counted} !== {page.run(counted)!r}")
        click(page, target, "promote", "seen by us", is_full=True)
        says(page, target, "promote-full, taken: ", "Promoted at 100 %", "undo")
        on.until(lambda: on.percent(first) == 100)
        second = on.version("v1")
        promoter = on.start(WAITS)
        says(page, target, f"{first} → {second}", "Step at 10 %")
        click(page, target, "pause", "tea")
        says(page, target, "pause, taken: paused by a person: tea")
        click(page, target, "abort", "enough")
        says(page, target, "Aborted at 0 %", "aborted by a person: enough")
        said, _ = promoter.communicate(timeout=60)
        page.until(
            f"['promote-full by ', 'abort by '].every((w) => {ENDED}.includes(w))"
        )
        assert page.run(TOO_WIDE) == 0
        assert page.complaints == []
    assert promoter.returncode == 12, said
    assert on.percent(first) == 100
    assert process.poll() is None
