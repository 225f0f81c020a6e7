"""A promoter that is killed, an API server that is away: the same evidence goes on."""

import json
import os
import signal
import subprocess
import time
from functools import partial
from typing import Any

import pytest

from tests.support.cluster_stage import RPS, ClusterStage
from tests.support.stage import POLICY, STABLE, Verdict, check_answered

SLOWLY = (
    POLICY.replace("dwell: 1s", "dwell: 4s")
    .replace("bake: {duration: 2s}", "bake: {duration: 10s}")
    .replace("step: 60s, rollout: 90s", "step: 120s, rollout: 300s")
)
STATES = ("Preflight", "Step", "Bake")
AWAY_S = 30.0


def _pods(on: ClusterStage, job: str) -> list[dict[str, Any]]:
    label = f"batch.kubernetes.io/job-name={job}"
    found = on.backend.kubectl("get", "pods", "-l", label, "-o", "json")
    items: list[dict[str, Any]] = json.loads(found)["items"]
    return items


def _is_in(on: ClusterStage, state: str) -> bool:
    return on.phase() == state


def _running(on: ClusterStage, job: str) -> list[str]:
    return [
        pod["metadata"]["name"]
        for pod in _pods(on, job)
        if pod["status"]["phase"] == "Running"
    ]


def _kill(on: ClusterStage, job: str) -> None:
    (name,) = on.until(partial(_running, on, job))
    on.backend.kubectl("delete", "pod", name, "--grace-period=0", "--force")


@pytest.mark.timeout(420)
def test_a_promoters_pod_is_killed_in_each_state_and_the_next_one_goes_on(
    on: ClusterStage,
) -> None:
    canary = on.version("v2")
    on.permit()
    began = time.monotonic()
    job = on.job(SLOWLY)
    on.until(partial(_is_in, on, STATES[0]))
    _kill(on, job)
    with on.users(RPS) as answers:
        for state in STATES[1:]:
            on.until(partial(_is_in, on, state), seconds=120)
            _kill(on, job)
        code, said = on.verb("status", "intent", "--wait", "--timeout", "100")
    seconds = time.monotonic() - began
    verdict = Verdict(code, said, seconds, 0, len(answers))
    assert on.noted("killed in 3 states", verdict).code == 0, said
    check_answered(answers)
    on.until(lambda: on.percent(canary) == 100)
    on.backend.kubectl("wait", "--for=condition=Complete", f"job/{job}")
    logs = on.backend.kubectl("logs", f"job/{job}")
    assert "going on at 95 %, Bake" in logs
    command = on.command("replay", "-")
    again = subprocess.run(command, input=logs, capture_output=True, text=True)
    assert again.returncode == 0, again.stdout + again.stderr


def test_a_job_is_not_started_again_after_a_verdict(on: ClusterStage) -> None:
    on.fault("failing")
    on.permit()
    with on.users(RPS):
        job = on.job_by_kubectl()
        on.until(on.phase)
        code, said = on.verb("status", "intent", "--wait", "--timeout", "100")
    assert code == 10, said
    on.backend.kubectl("wait", "--for=condition=Failed", f"job/{job}")
    (pod,) = _pods(on, job)
    ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    assert ended["exitCode"] == 10


@pytest.mark.alone
def test_an_api_server_that_is_away_for_half_a_minute_holds_traffic(
    on: ClusterStage,
) -> None:
    found = subprocess.run(["pgrep", "-fo", "kube kube-apiserver"], capture_output=True)
    if found.returncode:
        pytest.skip("the API server of this cluster is not a process of this machine")
    server = int(found.stdout)
    canary = on.version("v2")
    with on.users(RPS) as answers:
        promoter = on.start(SLOWLY)
        on.until(lambda: on.percent(canary) == 10)
        os.kill(server, signal.SIGSTOP)
        try:
            time.sleep(AWAY_S)
        finally:
            os.kill(server, signal.SIGCONT)
        said, _ = promoter.communicate(timeout=120)
    verdict = Verdict(promoter.returncode, said, AWAY_S, 0, len(answers))
    assert on.noted("API server away for 30 s", verdict).code == 0, said
    check_answered(answers)
    on.until(lambda: on.percent(canary) == 100)
    on.until(lambda: on.percent(STABLE) == 0)
