"""A rollout on a cluster as people see and steer it: from outside, and by labels."""

import subprocess

import pytest
from pytest_httpserver import HTTPServer

from tests.rollout.cli.test_live_steering import ACCURACY, PATIENT, SHADOW, TOKEN
from tests.support import browser
from tests.support.cluster_stage import RPS, ClusterStage
from tests.support.receiver import received
from tests.support.stage import POLICY

REFUSES = "[sh, -c, 'test $ROLLOUT_WEIGHT -lt 50 || { echo not today; exit 1; }']"


def test_watched_told_refused_and_reported(
    on: ClusterStage, httpserver: HTTPServer
) -> None:
    canary = on.version("v2")
    httpserver.expect_request("/hook").respond_with_data()
    with on.users(RPS):
        promoter = on.start(
            f"hooks: {{confirm: {{command: {REFUSES}}}}}\n"
            f"notify: [{{url: {httpserver.url_for('/hook')}}}]\n{POLICY}"
        )
        on.until(lambda: on.percent(canary) == 10)
        watching = on.command("watch", "intent")
        watched = subprocess.run(watching, capture_output=True, text=True, timeout=90)
        said, _ = promoter.communicate(timeout=90)
    assert promoter.returncode == 11, said
    assert "hook confirm says no to 50 %: not today" in said
    assert watched.returncode == 0, watched.stderr
    assert "RolledBack at 0 %" in watched.stdout
    told = [(each["phase"], each["weight"]) for each in received(httpserver)]
    assert told[-1] == ("RolledBack", 0)
    assert ("Step", 10) in told
    page = on.backend.journal.with_name("report.html").read_text()
    seen = browser.look(page, 1400, browser.LIGHT, on.folder)
    assert [plot["title"] for plot in seen["plots"]] == browser.TITLES
    assert all(plot["lines"] >= 4 for plot in seen["plots"])
    assert f"{canary} was rolled back by a guard." in page


@pytest.mark.timeout(400)
def test_true_labels_roll_back_what_nothing_else_shows(
    on: ClusterStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same codes, same speed, worse answers."""
    monkeypatch.setenv("RECORDING_TOKEN", TOKEN)
    stable = on.version("v1", None, RECORDING_TOKEN=TOKEN)
    on.until(lambda: on.percent(stable) == 100)
    on.fault("mistaken", RECORDING_TOKEN=TOKEN)
    on.until(on.is_ready)
    code, said = on.taught(PATIENT.replace("deadlines:", f"{ACCURACY}deadlines:"))
    assert code == 10, said
    assert "accuracy: where both differ, wrong in" in said


def test_a_jobs_shadow_comes_first_and_its_log_becomes_a_report(
    on: ClusterStage,
) -> None:
    stable = on.version("v1", None, RECORDING_TOKEN=TOKEN)
    on.until(lambda: on.percent(stable) == 100)
    on.version("v2", RECORDING_TOKEN=TOKEN)
    on.permit()
    token = f"--from-literal=token={TOKEN}"
    on.backend.kubectl("create", "secret", "generic", "intent-recording", token)
    with on.users(RPS):
        job = on.job(SHADOW)
        on.until(lambda: on.phase() != "")
        code, said = on.verb("status", "intent", "--wait", "--timeout", "90")
    assert code == 0, said
    on.backend.kubectl("wait", "--for=condition=Complete", f"job/{job}")
    logs = on.backend.kubectl("logs", f"job/{job}")
    assert "first step: 0 %" in logs
    page = on.folder / "job.html"
    command = on.command("report", "-", "--html", str(page))
    subprocess.run(command, input=logs, text=True, check=True)
    assert "<dt>shadow</dt>" in page.read_text()
    assert "was promoted" in page.read_text()
