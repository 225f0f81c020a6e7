"""People and accidents during a rollout, on real processes behind the real Envoy.

Every exit code that a run can have comes from the real command line, here or in
`test_live_faults`.
"""

import json
import signal
from collections.abc import Iterator

import pytest

from scripts.local import processes
from scripts.local.processes import free_ports
from scripts.local.store import Store
from scripts.rollout.journal import chain
from scripts.rollout.metrics.counters import delta
from scripts.rollout.metrics.scrape import Scrape
from scripts.rollout.policy.policy import Target
from scripts.rollout.policy.reader import parse
from scripts.rollout.traffic.local import LocalTraffic
from tests.faults import models
from tests.faults.pipelines import FAIL, Healthy
from tests.support.commands import run
from tests.support.stage import (
    POLICY,
    STABLE,
    LocalStage,
    check_answered,
    incidental,
    stage,
)
from tests.support.waiting import killed

INTENT = Target(inferenceservice="intent")

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStage]:
    """A stable revision with users to come."""
    with stage(tmp_path_factory.mktemp("people")) as built:
        yield built


def test_one_500_and_one_grpc_internal_count_one_each(on: LocalStage) -> None:
    """HTTP by the proxy, gRPC by the predictor: neither twice, neither never."""
    traffic = LocalTraffic(Store(on.backend.folder), INTENT, "gateway")
    scrape, arms = Scrape("default", traffic.pages), ("", STABLE)
    before = scrape.read(arms)
    (pod,) = [
        child
        for child in processes.find(on.backend.folder)
        if child.role == f"default/{STABLE}"
    ]
    for protocol, port in (("v2", on.backend.port), ("grpc", pod.env["GRPC_PORT"])):
        url = f"127.0.0.1:{port}"
        code, said = run(
            *("scripts.infer", FAIL, "hello", "--url", url, "--protocol", protocol)
        )
        assert code == 1, said
    now = scrape.read(arms)
    gained = delta(
        parse(f"target: {on.backend.target}\n{POLICY}", "p"),
        before.reading,
        now.reading,
        since=0.0,
        arms=arms,
    )
    assert gained.metrics["errors"][2:] == (2, 4)


def test_no_traffic_at_all_is_held_with_20_and_an_abort_needs_no_promoter(
    on: LocalStage,
) -> None:
    on.canary(Healthy(models.inner()))
    policy = POLICY.replace("step: 60s", "step: 3s").replace(
        "rollout: 90s", "rollout: 9s"
    )
    code, said = on.verb("run", "-f", str(on.policy(policy)))
    assert code == 20, said
    assert "deadlines.step reached at 0 %" in said
    assert "no requests; 0 of 1 scrapes of the stable" in said
    assert on.verb("run", "-f", str(on.policy(policy)))[0] == 20
    code, said = on.verb("status", "intent", "--wait")
    assert (code, "Held at 0 %" in said) == (20, True)
    code, said = on.verb("abort", "intent", "--reason", "nobody is there")
    assert code == 0, said
    assert f"aborted, {STABLE} has all traffic" in said
    assert on.verb("run", "-f", str(on.policy(policy)))[0] == 12
    code, said = on.verb("pause", "intent")
    assert (code, "Aborted already" in said) == (2, True)


def test_abort_wins_while_it_waits_for_an_approval(on: LocalStage) -> None:
    on.canary(Healthy(models.inner()))
    policy = POLICY + "pauseAt: [10]\n"
    with on.users():
        code, said = on.verb("plan", "-f", str(on.policy(policy)), "--seconds", "3")
        assert (code, "requests/s; errors " in said) == (0, True), said
        promoter = on.start(policy)
        on.until(lambda: on.percent(STABLE) == 90)
        on.until(lambda: "APPROVAL" in on.verb("status", "intent")[1])
        code, said = on.verb("status", "intent", "--wait", "--timeout", "1")
        assert code == 21, said
        code, said = on.verb("run", "-f", str(on.policy(policy)), "--once")
        assert code == 31, said
        assert f"another promoter, process {promoter.pid}" in said
        code, said = on.verb("explain", "intent")
        assert "waits for: a person's approval" in said
        on.verb("abort", "intent", "--reason", "lunch")
        said, _ = promoter.communicate(timeout=30)
    assert promoter.returncode == 12, said
    assert "aborted by a person: lunch" in said
    assert on.percent(STABLE) == 100


def test_a_hand_is_noticed_a_kill_survived_and_a_promotion_undone(
    on: LocalStage,
) -> None:
    canary = on.canary(Healthy(models.inner()))
    policy = POLICY + "pauseAt: [10]\n"  # it is still there when it is killed
    with on.users() as answers:
        promoter = on.start(policy)
        on.until(lambda: on.percent(STABLE) == 90)
        on.until(lambda: on.records()[-1]["seen"]["view"]["percent"] == 10)
        on.backend.patch(30)
        on.until(lambda: "BY HAND" in on.verb("status", "intent")[1])
        assert on.percent(canary) == 30
        on.verb("resume", "intent")
        on.until(lambda: on.percent(canary) == 10)
        promoter.send_signal(signal.SIGKILL)
        promoter.communicate()
        looks = len(on.records())
        on.verb("approve", "intent")
        code, said = on.verb("run", "-f", str(on.policy(policy)))
    assert code == 0, said
    check_answered(answers)
    assert len(on.records("restart")) == 1
    assert len(on.records()) > looks > 3
    lines = on.backend.journal.read_text().splitlines()
    entries = chain.verify(lines)
    notes = [note["text"] for each in entries for note in each.get("notes", ())]
    assert "the percent was changed by hand from 10 to 30" in " ".join(notes)
    assert "50 % -> 95 % on evidence" in notes
    assert on.percent(canary) == 100
    code, said = on.verb("replay", str(on.backend.journal))
    assert (code, f"lines 1 to {len(lines)} verified" in said) == (0, True)
    code, said = on.verb("undo", "intent", "--reason", "second thoughts")
    assert code == 0, said
    assert on.percent(STABLE) == 100


def test_both_arms_failing_together_is_no_rollback(on: LocalStage) -> None:
    on.canary(incidental(on.folder))
    incident = on.folder / "incident"
    with on.users() as answers:
        promoter = on.start(POLICY.replace("dwell: 1s", "dwell: 50s"))
        on.until(lambda: on.percent(STABLE) == 90)
        incident.touch()
        on.until(lambda: sum(each.code == "500" for each in list(answers)) > 50)
        assert promoter.poll() is None
        assert on.percent(STABLE) == 90
        incident.unlink()
        assert on.verb("abort", "intent")[0] == 0
        said, _ = promoter.communicate(timeout=60)
    assert promoter.returncode == 12, said


def _routes(on: LocalStage) -> set[str]:
    traffic = on.backend.status()["components"]["predictor"]["traffic"]
    return {each["revisionName"] for each in traffic}


def test_no_metrics_is_40_and_a_rollback_nobody_can_see_50(on: LocalStage) -> None:
    on.canary(Healthy(models.inner()))
    (port,) = free_ports(1)
    source = f"{{interval: 500ms, prometheus: http://127.0.0.1:{port}}}"
    policy = POLICY.replace("{interval: 500ms}", source).replace("20s", "3s")
    path = str(on.policy(policy))
    on.until(on.is_ready)
    on.until(lambda: _routes(on) == {STABLE, on.newest()})
    before = on.backend.status()
    code, said = on.verb("run", "-f", path, "--dry-run")
    assert (code, f"127.0.0.1:{port}" in said) == (40, True), said
    assert "weight ->" not in said
    assert not on.records() or on.records()[-1]["verdict"] is not None
    assert on.verb("run", "-f", path, "--once")[0] == 40
    assert on.backend.status() == before
    for child in processes.find(on.backend.folder):
        if child.role == "supervisor":
            killed(child)
    code, said = on.verb("abort", "intent")
    assert code == 50, said
    assert f"routed {STABLE} 100 %" in said or f"{STABLE} 100 %" in said
    assert "ROLLBACK NOT VERIFIED, last seen: canaryTrafficPercent 0" in said
    assert "now the API does not answer" in said
    on.backend.status()
    code, said = on.verb("run", "-f", path)
    assert code == 12, said
    found = json.loads(on.verb("status", "intent", "-o", "json")[1])
    assert (found["phase"], found["verdict"]) == ("Aborted", 12)
