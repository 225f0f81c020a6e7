"""The home on a VM: predictors of both versions behind the real HAProxy."""

import json
from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest
import requests

from scripts.inference.clients import Answer
from scripts.rollout.errors import NotFound, RolloutError, Unreachable
from scripts.rollout.metrics.haproxy import Runtime
from scripts.rollout.policy.policy import Target
from scripts.rollout.traffic.haproxy import HaproxyTraffic
from tests.faults import models
from tests.faults.pipelines import Failing
from tests.support.predictors import MODELS
from tests.support.vm import Vm, vm
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(240)

SHORT = """
steps: [50]
dwell: 500ms
bake: {duration: 0s}
dependence: {clusterSize: 1}
warmup: {requests: 5, quiet: 300ms, settle: 1s}
metrics:
  - {name: errors, budget: 8%, weight: 3}
  - {name: latency, slo: 1s, budget: 8%, weight: 3}
deadlines: {step: 60s, rollout: 90s, metricsSilence: 5s, rollback: 20s}
source: {interval: 250ms}
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vm]:
    """v1 and, beside it, a version that fails while the file `failing` exists."""
    with vm(tmp_path_factory.mktemp("vm")) as built:
        pipeline = Failing(models.inner(), every=10, flag=built.folder / "failing")
        built.serve("v1", MODELS / "v1")
        built.serve("v2", models.write(built.folder / "v2", pipeline))
        until(lambda: built.is_up("v1") and built.is_up("v2"), shown=built.said)
        yield built


@pytest.fixture
def on(running: Vm) -> Vm:
    """All traffic at v1 and no rollout yet, whatever the test before did."""
    running.forget()
    running.runtime.set_weights({"v2": 0, "v1": 100})
    return running


def _traffic(on: Vm, counted_by: str = "gateway") -> HaproxyTraffic:
    target = Target(proxy="intent", backend="haproxy", control=str(on.socket))
    return HaproxyTraffic(on.socket, target, counted_by)


def _are_at_least(answers: list[Answer], wanted: int) -> bool:
    return len(answers) >= wanted


def _names(on: Vm) -> tuple[str, str]:
    """The canary's and the stable's: the server, and the digest of its model."""
    folders = on.folder / "v2", MODELS / "v1"
    facts = [json.loads((each / "metadata.json").read_text()) for each in folders]
    v2, v1 = (each["sha256"][:8] for each in facts)
    return f"v2-{v2}", f"v1-{v1}"


def test_the_server_with_weight_0_in_the_file_is_the_canary_at_any_weight(
    on: Vm,
) -> None:
    traffic = _traffic(on)
    traffic.set_weight(95)
    view, (v2, v1) = traffic.observe(), _names(on)
    assert (view.created, view.ready, view.rolledout) == (v2, v2, v1)
    assert (view.percent, view.routed) == (95, {v1: 5, v2: 95})
    ready = {name: each.ready for name, each in view.replicas.items()}
    assert ready == {v1: 1, v2: 1}


def test_the_tutorials_request_is_answered_by_the_tutorials_path(on: Vm) -> None:
    answer = requests.post(f"{on.url}/predict", json={"text": "hello"}, timeout=10)
    assert answer.json()["intent"] == "greeting"
    assert answer.headers["x-revision"] == "v1"


def test_fifty_weight_changes_under_load_fail_no_request(on: Vm) -> None:
    traffic = _traffic(on)
    with on.users(rps=150) as answers:
        for number in range(50):
            traffic.set_weight(2 * number)
            wanted = len(answers) + 3
            until(partial(_are_at_least, answers, wanted))
    print(len(answers), "answers")
    assert Counter(each.error for each in answers) == {"": len(answers)}


def test_the_split_is_the_one_that_is_set_and_is_counted_exactly(on: Vm) -> None:
    traffic = _traffic(on)
    traffic.set_weight(20)
    metrics = traffic.metrics()
    traffic.observe()
    before = metrics.read(_names(on)).reading
    with requests.Session() as session:
        answered = Counter(
            session.post(f"{on.url}/predict", json={"text": "hi"}).headers["x-revision"]
            for _ in range(500)
        )
    assert 80 <= answered["v2"] <= 120
    after = metrics.read(_names(on)).reading
    counted = {
        name.partition("-")[0]: sum(
            each["requests"] - before[name][instance]["requests"]
            for instance, each in samples.items()
            if "requests" in each
        )
        for name, samples in after.items()
    }
    assert counted == answered


def test_a_reload_keeps_the_weights_and_fails_no_request(on: Vm) -> None:
    _traffic(on).set_weight(30)
    with on.users(rps=60) as answers:
        on.reload()
        wanted = len(answers) + 60
        until(partial(_are_at_least, answers, wanted))
    assert on.weights() == (70, 30)
    assert Counter(each.error for each in answers) == {"": len(answers)}


def test_without_the_saved_state_a_killed_gateway_begins_with_the_stable(
    on: Vm,
) -> None:
    _traffic(on).set_weight(30)
    on.runtime.state_file.unlink()
    on.kill()
    with pytest.raises(Unreachable, match=r"haproxy\.sock"):
        on.runtime.servers()
    on.begin()
    assert on.weights() == (100, 0)


def test_a_missing_backend_is_named(on: Vm) -> None:
    with pytest.raises(NotFound, match="other: Can't find backend"):
        Runtime(on.socket, "other").servers()


def test_two_servers_with_weights_in_the_file_are_refused(on: Vm) -> None:
    before = on.config.read_text()
    on.config.write_text(before.replace("weight 0", "weight 50"))
    on.reload()
    with pytest.raises(RolloutError, match="one of them with weight 0"):
        _traffic(on)
    on.config.write_text(before)
    on.reload()


def test_a_good_version_is_promoted_though_the_gateway_is_reloaded(on: Vm) -> None:
    with on.users(rps=150) as answers:
        promoter = on.start(SHORT)
        until(lambda: on.weights() != (100, 0))
        on.reload()
        said, _ = promoter.communicate(timeout=110)
    assert promoter.returncode == 0, said
    assert f"{_names(on)[0]} promoted" in said
    assert on.weights() == (0, 100)
    assert Counter(each.error for each in answers) == {"": len(answers)}
    code, said = on.verb("undo", "intent")
    assert code == 0, said
    assert on.weights() == (100, 0)


def test_one_that_fails_every_tenth_request_is_rolled_back(on: Vm) -> None:
    flag = on.folder / "failing"
    flag.touch()
    verdict = on.run(SHORT.replace("warmup:", "warmup: 0 #"), rps=100)
    flag.unlink()
    print(verdict)
    assert verdict.code == 10, verdict.said
    assert "errors:" in verdict.said
    assert on.weights() == (100, 0)


def test_a_dead_arms_requests_fail_as_its_own_and_are_counted(on: Vm) -> None:
    _traffic(on).observe()
    on.stop("v2")
    on.runtime.set_weights({"v2": 50, "v1": 50})
    before = {each.name: each.failed for each in on.runtime.servers()}
    answers = [
        requests.post(f"{on.url}/predict", json={"text": "hi"}, timeout=10)
        for _ in range(10)
    ]
    failed = sum(not each.ok for each in answers)
    after = {each.name: each.failed for each in on.runtime.servers()}
    assert after["v2"] - before["v2"] == failed
    assert after["v1"] == before["v1"]
    until(lambda: on.is_out("v2"))
    view, (v2, v1) = _traffic(on).observe(), _names(on)
    assert (view.created, view.ready, view.percent) == (v2, v1, 50)
    assert view.routed == {v1: 100, v2: 0}
    on.serve("v2", on.folder / "v2")
    until(lambda: on.is_up("v2"))
