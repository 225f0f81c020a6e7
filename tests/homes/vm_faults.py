"""Every faulty version on the VM behind either gateway, a killed promoter, TLS.

`make homes`: two minutes a gateway.
"""

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from scripts.local.processes import free_ports
from scripts.rollout.traffic.served import DIGITS
from tests.faults import models
from tests.faults.pipelines import (
    Cold,
    CrashLooping,
    Failing,
    NeverReady,
    OneClass,
    Slow,
)
from tests.support.predictors import MODELS
from tests.support.stage import COLD, POLICY, QUICK
from tests.support.vm import MANIFESTS, Vm, vm
from tests.support.vm_nginx import nginx_vm
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(240)
# A version that is never there is given up sooner than after ten minutes.
IMPATIENT = POLICY + "guards: {readyTimeout: 8s}\n"

GATEWAYS = {"haproxy": vm, "nginx": nginx_vm}
only_haproxy = pytest.mark.parametrize("running", ["haproxy"], indirect=True)


@pytest.fixture(scope="module", params=GATEWAYS)
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Vm]:
    """v1 behind a gateway; each test brings its v2."""
    with GATEWAYS[request.param](tmp_path_factory.mktemp("vm")) as built:
        built.serve("v1", MODELS / "v1")
        until(lambda: built.is_up("v1"), shown=built.said)
        yield built


@pytest.fixture
def on(running: Vm) -> Iterator[Vm]:
    """All traffic at v1."""
    running.back()
    yield running
    running.stop("v2")


def _serve(on: Vm, pipeline: Any) -> str:
    """Serve it as v2; its digest, as a revision has it."""
    model = models.write(on.folder / type(pipeline).__name__.lower(), pipeline)
    on.serve("v2", model)
    facts = json.loads((model / "metadata.json").read_text())
    return str(facts["sha256"])[:DIGITS]


@pytest.mark.parametrize(
    ("pipeline", "policy", "code", "said"),
    [
        (Failing(models.inner(), every=10), POLICY, 10, "errors: "),
        (Failing(models.inner(), every=1), POLICY, 11, "warm-up requests failed"),
        (Failing(models.inner(), every=1), COLD, 10, "errors: "),
        (OneClass(models.inner()), POLICY, 10, "labels: "),
    ],
    ids=["every tenth 500", "500 always", "500 always, cold", "one class"],
)
def test_a_faulty_version_is_rolled_back(
    on: Vm, pipeline: Any, policy: str, code: int, said: str
) -> None:
    _serve(on, pipeline)
    until(lambda: on.is_up("v2"), shown=on.said)
    verdict = on.run(policy)
    print(verdict)
    assert verdict.code == code, verdict.said
    assert said in verdict.said
    assert on.weights() == (100, 0)


def test_one_that_is_slow_is_rolled_back(on: Vm) -> None:
    """By evidence, or as it is too busy to say within a second that it is ready."""
    _serve(on, Slow(models.inner()))
    until(lambda: on.is_up("v2"), shown=on.said)
    verdict = on.run(QUICK)
    print(verdict)
    assert verdict.code in (10, 11), verdict.said
    assert on.weights() == (100, 0)


def test_one_that_is_only_cold_is_promoted(on: Vm) -> None:
    _serve(on, Cold(models.inner()))
    until(lambda: on.is_up("v2"), shown=on.said)
    verdict = on.run(POLICY.replace("settle: 5s", "settle: 30s"))
    print(verdict)
    assert verdict.code == 0, verdict.said


@pytest.mark.parametrize("kind", [NeverReady, CrashLooping])
def test_one_that_does_not_stay_up_is_rolled_back(on: Vm, kind: Any) -> None:
    digest = _serve(on, kind(models.inner()))
    if kind is CrashLooping:
        # A version that was seen once keeps its name while it is down.
        until(lambda: on.canary().endswith(digest), shown=on.said)
    verdict = on.run(IMPATIENT)
    print(verdict)
    assert verdict.code in (10, 11), verdict.said
    assert on.weights() == (100, 0)


def test_a_version_that_comes_up_during_its_rollout_is_promoted(on: Vm) -> None:
    """Nobody knows before which model it has."""
    for known in on.folder.glob("*.served"):
        known.unlink()
    with on.users(150) as answers:
        promoter = on.start()
        until(lambda: len(on.records()) > 2)
        assert on.records("begin")[0]["state"]["canary"] == "v2"
        on.serve("v2", MODELS / "v2")
        said, _ = promoter.communicate(timeout=110)
    assert promoter.returncode == 0, said
    assert on.weights() == (0, 100)
    assert Counter(each.error for each in answers) == {"": len(answers)}


def test_a_killed_promoter_goes_on_with_the_same_evidence(on: Vm) -> None:
    on.serve("v2", MODELS / "v2")
    until(lambda: on.is_up("v2"), shown=on.said)
    with on.users(150) as answers:
        first = on.start()
        until(lambda: on.weights()[1] > 0)
        first.kill()
        first.communicate()
        code, said = on.verb("run", "-f", str(on.policy()))
    assert code == 0, said
    assert "going on at" in said
    assert on.weights() == (0, 100)
    assert len(on.records("begin")) == len(on.records("restart")) == 1
    assert Counter(each.error for each in answers) == {"": len(answers)}


def test_a_gateway_that_is_killed_goes_on_with_its_weights(on: Vm) -> None:
    on.serve("v2", MODELS / "v2")
    until(lambda: on.is_up("v2"), shown=on.said)
    with on.users(150):
        promoter = on.start()
        until(lambda: on.weights()[1] > 0)
        on.kill()
        on.begin()
        said, _ = promoter.communicate(timeout=110)
    assert promoter.returncode == 0, said


def test_a_weight_set_by_hand_is_kept_until_a_person_says_more(on: Vm) -> None:
    on.serve("v2", MODELS / "v1")
    until(lambda: on.is_up("v2"), shown=on.said)
    with on.users(150):
        promoter = on.start(POLICY.replace("duration: 2s", "duration: 60s"))
        until(lambda: str(on.records()).count("'phase': 'Bake'") > 3, 90)
        on.set_by_hand(3)
        until(lambda: "by hand" in str(on.records()))
        assert on.weights() == (97, 3)
        code, said = on.verb("abort", "intent")
        assert code == 0, said
        said, _ = promoter.communicate(timeout=110)
    assert promoter.returncode == 12, said
    assert on.weights() == (100, 0)


@only_haproxy
def test_tls_and_the_limit_of_an_address(on: Vm) -> None:
    pem = on.folder / "intent.pem"
    name = ["-subj", "/CN=vm", "-addext", "subjectAltName=IP:127.0.0.1"]
    name += ["-keyout", str(pem), "-out", str(pem)]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *name]
    subprocess.run(made, check=True, capture_output=True)
    (port,) = free_ports(1)
    text = on.here(MANIFESTS / "etc/haproxy/haproxy-tls.cfg")
    text = text.replace(" :6443", f" 127.0.0.1:{port}")
    tls = on.folder / "haproxy-tls.cfg"
    tls.write_text(text.replace("/etc/haproxy/intent.pem", str(pem)))
    on.kill()
    on.begin(tls)
    before = {each.name: each.failed for each in on.runtime.servers()}
    with requests.Session() as session:
        url = f"https://127.0.0.1:{port}/predict"
        codes = Counter(
            session.post(url, json={"text": "hi"}, verify=str(pem)).status_code
            for _ in range(120)
        )
    assert codes == {200: 100, 429: 20}
    assert {each.name: each.failed for each in on.runtime.servers()} == before


@only_haproxy
def test_nobody_else_reaches_the_runtime_socket(on: Vm) -> None:
    mode = os.stat(on.socket).st_mode & 0o777
    assert mode == 0o660
