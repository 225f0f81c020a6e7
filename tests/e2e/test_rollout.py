"""Good canaries: promoted by evidence while every request is answered."""

import json
import re
import subprocess
import time
from functools import partial

import pytest

from scripts.inference.clients import Target, connect
from scripts.inference.load import steady
from scripts.local.processes import ROOT
from tests.support import commands
from tests.support.backends import intent
from tests.support.cluster_stage import RPS, ClusterStage
from tests.support.site import DOMAIN
from tests.support.stage import (
    LEAST,
    POLICY,
    SLO_MS,
    STABLE,
    Verdict,
    check_answered,
    texts,
)

APPROVED = POLICY + "pauseAt: [10]\n"
ASLEEP_S = 120


def test_a_job_promotes_a_healthy_canary_that_a_laptop_approves_and_undoes(
    on: ClusterStage,
) -> None:
    canary = on.version("v2")
    on.permit()
    began = time.monotonic()
    with on.users(RPS) as answers:
        job = on.job(APPROVED)
        on.until(lambda: "APPROVAL" in on.verb("status", "intent")[1])
        code, said = on.verb("run", "-f", str(on.policy(APPROVED)))
        assert code == 31, said
        assert f"another promoter, {job}, holds the Lease intent-rollout" in said
        assert on.verb("pause", "intent", "--reason", "coffee")[0] == 0
        on.until(lambda: "BY A PERSON" in on.verb("status", "intent")[1])
        assert on.verb("resume", "intent")[0] == 0
        assert on.verb("approve", "intent")[0] == 0
        code, said = on.verb("status", "intent", "--wait", "--timeout", "90")
    assert code == 0, said
    bad = [each for each in answers if each.error or each.latency_ms > SLO_MS]
    seconds = time.monotonic() - began
    on.noted("healthy, by a Job", Verdict(code, said, seconds, len(bad), len(answers)))
    check_answered(answers)
    on.until(lambda: on.percent(canary) == 100)
    assert "canaryTrafficPercent" not in on.backend.get()["spec"]["predictor"]
    on.backend.kubectl("wait", "--for=condition=Complete", f"job/{job}")
    logs = on.backend.kubectl("logs", f"job/{job}")
    assert "10 % approved" in logs
    assert f"{canary} promoted" in logs
    command = on.command("replay", "-")
    again = subprocess.run(command, input=logs, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert "lines 1 to " in again.stdout
    events = json.loads(on.backend.kubectl("get", "events", "-o", "json"))["items"]
    ours = [e for e in events if e["source"].get("component") == "intent-canary"]
    reasons = {each["reason"] for each in ours}
    assert reasons >= {"Step", "Bake", "Promoted"}
    with on.users(RPS) as answers:
        code, said = on.verb("undo", "intent", "--reason", "second thoughts")
        assert code == 0, said
        on.until(lambda: on.percent(STABLE) == 100)
        on.until(lambda: len(answers) >= LEAST)
    check_answered(answers)


def test_the_stale_percent_of_a_manifest_is_removed_or_refused(
    on: ClusterStage,
) -> None:
    on.version("v2")
    manifest = on.folder / "isvc-v2.yaml"
    manifest.write_text((ROOT / "manifests" / "isvc-v2.yaml").read_text())
    with on.users(RPS):
        file = str(on.policy())
        code, said = on.verb("run", "-f", file, "--write-manifest", str(manifest))
        assert code == 0, said
        assert "canaryTrafficPercent is gone" in said
        on.backend.patch(10)
        on.until(lambda: on.percent(STABLE) == 90)
        code, said = on.verb("run", "-f", str(on.policy()))
    assert code == 2, said
    assert f"took KServe back to {STABLE}" in said
    assert "canaryTrafficPercent:" not in manifest.read_text()


def test_two_inferenceservices_roll_out_side_by_side(on: ClusterStage) -> None:
    other = intent("v1")
    other["metadata"]["name"] = "chat"
    on.backend.apply(other)
    on.backend.kubectl("wait", "--for=condition=Ready", "isvc/chat")
    newer = intent("v2", 0)
    newer["metadata"]["name"] = "chat"
    on.backend.apply(newer)
    on.version("v2")
    host = f"chat-predictor.{on.backend.namespace}.{DOMAIN}"
    ask = partial(connect, "v2", Target(on.backend.url, host, "intent"))
    policy = on.folder / "chat.yaml"
    policy.write_text(f"target: {on.backend.of('chat')}\n{POLICY}")
    with on.users(RPS / 2) as answers, steady(ask, texts(), RPS / 2, 8) as others:
        first = on.start()
        second = commands.start(
            on.command("run", "-f", str(policy)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        said = [each.communicate(timeout=120)[0] for each in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), said
    check_answered(answers)
    check_answered(others)


def test_a_third_revision_at_25_percent_supersedes_and_takes_no_traffic(
    on: ClusterStage,
) -> None:
    canary = on.version("v2")
    with on.users(RPS) as answers:
        promoter = on.start(POLICY.replace("[10, 50]", "[25, 50]"))
        on.until(lambda: on.percent(canary) == 25)
        began = time.monotonic()
        third = on.version("v2", 25, EXTRA="third")
        said, _ = promoter.communicate(timeout=60)
        seconds = time.monotonic() - began
        on.until(lambda: on.percent(STABLE) == 100)
    assert f"superseded: {third} is newer than {canary}" in said
    verdict = Verdict(promoter.returncode, said, seconds, 0, len(answers))
    assert on.noted("third revision at 25 %", verdict).code == 30
    check_answered(answers)


@pytest.mark.timeout(400)
def test_a_canary_that_is_scaled_to_zero_is_no_outage(on: ClusterStage) -> None:
    document = intent("v2", 0)
    document["spec"]["predictor"]["minReplicas"] = 0
    document["metadata"]["annotations"] |= {
        "autoscaling.knative.dev/window": "6s",
        "autoscaling.knative.dev/scale-to-zero-pod-retention-period": "0s",
    }
    on.backend.apply(document)
    on.until(lambda: on.newest() != STABLE and on.is_ready())
    canary = on.newest()
    pods = ("get", "pods", "-o", "name", "-l", f"serving.knative.dev/revision={canary}")
    on.until(lambda: not on.backend.kubectl(*pods), seconds=ASLEEP_S)
    verdict = on.noted("scaled to zero", on.run(rps=RPS))
    assert verdict.code == 0, verdict.said
    warmed = r"\d+ warm-up requests to 1 pod by v1, v2, 0 failed"
    assert re.search(warmed, verdict.said), verdict.said
    assert not verdict.failed
    assert verdict.bad < verdict.answers * 0.02
