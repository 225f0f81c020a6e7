"""Plain Deployments behind a route, as manifests/kubernetes has them: no KServe."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
import yaml

from scripts.inference.clients import Answer
from scripts.local.processes import ROOT
from scripts.rollout.cluster import pods
from scripts.rollout.cluster.client import Object
from scripts.rollout.errors import Unreachable
from tests.e2e.images import FAULTS
from tests.support import documentation
from tests.support.cluster_stage import RPS
from tests.support.plain import GATEWAY_API, SHIPPED, Plain, plain
from tests.support.stage import COLD, POLICY, QUICK, Verdict, check_answered
from tests.support.usage import usage

PAGE = str((SHIPPED / "README.md").relative_to(ROOT))
# A version that is never there is given up sooner than after ten minutes.
IMPATIENT = POLICY + "guards: {readyTimeout: 4s}\n"
# What one pod may use: 60 % of what it requests on a small cluster.
MILLI = 0.6 * 20

pytestmark = pytest.mark.skipif(
    not GATEWAY_API, reason="GATEWAY_API: no gateway of the Gateway API is named"
)


@pytest.fixture(scope="module")
def on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plain]:
    """One deployment for the whole file; each canary has a name of its own."""
    with plain(tmp_path_factory.mktemp("plain"), Plain) as built:
        yield built


def _page(on: Plain) -> tuple[int, str]:
    """Run the page's commands, with the operator's folder in place of the shipped."""
    own = on.folder / "kubeconfig"
    content = yaml.safe_load(on.backend.kubectl("config", "view", "--raw"))
    for each in content["contexts"]:
        each["context"]["namespace"] = on.backend.namespace
    own.write_text(yaml.safe_dump(content))
    programs = on.folder / "programs"
    documentation.install(programs, ROOT)
    on.policy()
    shipped = str(on.overlay.relative_to(ROOT))
    text = "".join(documentation.blocks(PAGE, "sh")).replace(shipped, str(on.folder))
    path = f"{programs}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-ec", text.replace("canary run", f"canary run --dir {on.folder}")],
        env={**os.environ, "KUBECONFIG": str(own), "PATH": path},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


@contextmanager
def _users(on: Plain, scenario: str) -> Iterator[list[Answer]]:
    """Users, and a row of the table at the end."""
    began = time.monotonic()
    with on.users(RPS) as answers:
        yield answers
    failed = sum(bool(each.error) for each in answers)
    took = time.monotonic() - began
    on.noted(scenario, Verdict(0, "", took, failed, len(answers), failed))


def test_the_pages_commands_promote_the_next_version(on: Plain) -> None:
    on.backend.kubectl("apply", "-k", str(on.folder))
    on.until(lambda: _is_settled(on, "v1") and _is_settled(on, "v2"), 240)
    with _users(on, "plain: promoted by its page") as answers:
        code, said = _page(on)
    assert code == 0, said
    assert "intent-v2 promoted" in said
    assert "counts: predictor" not in said
    assert on.weights() == [0, 100]
    check_answered(answers)
    code, said = on.verb("undo", "intent")
    assert code == 0, said
    assert on.weights() == [100, 0]


@pytest.mark.parametrize(
    ("name", "image", "model", "policy", "codes", "said"),
    [
        ("every-tenth-500", FAULTS, "failing", POLICY, {10}, "errors: "),
        ("all-500", FAULTS, "broken", POLICY, {11}, " warm-up requests failed"),
        ("all-500-cold", FAULTS, "broken", COLD, {10}, "errors: "),
        ("slow", FAULTS, "slow", QUICK, {10}, "latency: "),
        ("one-class", FAULTS, "one-class", POLICY, {10}, "labels: its labels are "),
        ("crash-loop", FAULTS, "crash-looping", IMPATIENT, {10, 11}, ""),
        ("no-image", "nothing-of-that-name:v0", "v2", IMPATIENT, {11}, "guard: "),
        ("no-model", "intent-classifier:v2", "none", IMPATIENT, {11}, "guard: "),
        ("altered", FAULTS, "altered", IMPATIENT, {11}, "guard: "),
        ("never-ready", FAULTS, "never-ready", IMPATIENT, {11}, "guard: "),
    ],
)
def test_a_faulty_version_is_rolled_back(
    on: Plain,
    name: str,
    image: str,
    model: str,
    policy: str,
    codes: set[int],
    said: str,
) -> None:
    on.another(name, image, model)
    if policy != IMPATIENT or model == "crash-looping":
        on.until(partial(_is_settled, on, name, 1), 120)
    verdict = on.noted(f"plain: {name}", on.run(policy, rps=RPS))
    on.forget(name)
    assert verdict.code in codes, verdict.said
    assert said in verdict.said
    assert verdict.failed == 0 or codes != {11}, "users met a version that was not up"
    assert on.weights() == [100, 0]


def test_a_killed_promoter_goes_on_with_the_same_evidence(on: Plain) -> None:
    """By SIGKILL in the middle of a rollout, and begun anew."""
    on.another("killed", "intent-classifier:v2", "v2")
    on.until(partial(_is_settled, on, "killed", 1), 120)
    with _users(on, "plain: promoter killed, promoted") as answers:
        first = on.start()
        on.until(lambda: on.weights()[1] > 0)
        first.kill()
        first.communicate()
        code, said = on.verb("run", "-f", str(on.policy()))
    assert code == 0, said
    assert "going on at" in said
    assert "intent-killed promoted" in said
    assert on.weights() == [0, 100]
    assert len(on.records("restart")) == 1
    check_answered(answers)
    code, said = on.verb("undo", "intent")
    assert code == 0, said
    on.forget("killed")


def _is_settled(on: Plain, version: str, wanted: int = 2) -> bool:
    """Whether so many pods of a version are ready, and none is going."""
    found = on.pods(version)
    return len(found) == wanted and all(map(_stays, found))


def _stays(pod: Object) -> bool:
    return pods.is_ready(pod) and "deletionTimestamp" not in pod["metadata"]


def _is_replaced(on: Plain, before: set[str]) -> bool:
    """Whether other pods of the stable answer, and those before are gone."""
    return _is_settled(on, "v1") and not _names(on) & before


def _names(on: Plain) -> set[str]:
    return {each["metadata"]["name"] for each in on.pods("v1")}


def test_a_rolling_update_under_load_fails_no_request(on: Plain) -> None:
    on.until(partial(_is_settled, on, "v1"))
    with _users(on, "plain: rolling update") as answers:
        before = _names(on)
        on.backend.kubectl("rollout", "restart", "deployment/intent-v1")
        on.until(partial(_is_replaced, on, before), 120)
    check_answered(answers)


def test_a_drain_under_load_fails_no_request(on: Plain) -> None:
    """By evictions, as `kubectl drain` asks for them: the node is not only ours."""
    on.until(partial(_is_settled, on, "v1"))
    with _users(on, "plain: drain") as answers:
        before = _names(on)
        for name in before:
            on.until(partial(_is_evicted, on, name))
        on.until(partial(_is_replaced, on, before), 120)
    check_answered(answers)


def _is_evicted(on: Plain, name: str) -> bool:
    """Whether the budget let this pod go."""
    place = f"/api/v1/namespaces/{on.backend.namespace}/pods/{name}/eviction"
    metadata = {"name": name, "namespace": on.backend.namespace}
    kinds = {"apiVersion": "policy/v1", "kind": "Eviction"}
    try:
        on.backend.cluster.create(place, {**kinds, "metadata": metadata})
    except Unreachable as refused:
        assert "disruption budget" in str(refused)
        return False
    return True


def test_an_autoscaler_may_add_canary_pods_in_the_middle_of_a_rollout(
    on: Plain,
) -> None:
    """By the real autoscaler; what the pods use is said by a stand-in."""
    on.another("scaled", "intent-classifier:v2", "v2")
    on.until(partial(_is_settled, on, "scaled", 1), 120)
    used = partial(_used, on)
    autoscaled = _users(on, "plain: autoscaled, promoted")
    with usage(on.backend, on.folder, used), autoscaled as answers:
        promoter = on.start(POLICY + "pauseAt: [50]\n")
        on.until(lambda: on.weights() == [50, 50])
        on.until(partial(_is_settled, on, "scaled", 3), 120)
        assert promoter.poll() is None
        code, said = on.verb("approve", "intent")
        assert code == 0, said
        said, _ = promoter.communicate(timeout=110)
    on.forget("scaled")
    assert promoter.returncode == 0, said
    assert "intent-scaled promoted" in said
    check_answered(answers)


def _used(on: Plain, selector: str) -> dict[str, float]:
    """The canary as busy as three pods may be once it has half of the traffic."""
    names = [each["metadata"]["name"] for each in on.pods("scaled")]
    if "scaled" not in selector or on.weights() != [50, 50]:
        return {}
    return dict.fromkeys(names, 3 * MILLI / len(names))
