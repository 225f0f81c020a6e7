"""Models that nobody here wrote: an echo over HTTP and over gRPC, a plain kserve.Model.

Each is promoted once and rolled back once, counted by its gateway alone.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts.inference.clients import Ask
from scripts.inference.load import steady
from scripts.rollout.cluster.client import service_path
from scripts.rollout.errors import Exit
from scripts.rollout.traffic.routes.httproute import route_path
from tests.e2e.foreign import stage
from tests.support.cluster_stage import ClusterStage
from tests.support.site import INGRESS, Site, site
from tests.support.stage import POLICY, Verdict
from tests.support.waiting import until

GATEWAY_API = os.environ.get("GATEWAY_API", "")
RPS = 60.0
WARMUP = "warmup: {requests: 5, settle: 5s}"
VERDICTS = {"good": 0, "bad": 10}
WATCHED = "labels: nobody counts predicted labels here; not judged"

needs_gateway = pytest.mark.skipif(
    not GATEWAY_API, reason="GATEWAY_API: no gateway of the Gateway API is named"
)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """All servers at once: they start beside each other."""
    with site(tmp_path_factory.mktemp("foreign"), is_restricted=False) as found:
        stage.apply(found, stage.servers(), stage.plain(0, None))
        for version in stage.VERSIONS if GATEWAY_API else ():
            stage.apply(found, *stage.workload("echo", version, 5000))
            h2c = "kubernetes.io/h2c"
            grpc = stage.workload("talk", version, 6000, appProtocol=h2c)
            stage.apply(found, *grpc)
        if GATEWAY_API:
            wait = ["wait", "--for=condition=Available", "--timeout=120s"]
            found.kubectl(*wait, "deployment", "--all")
        found.kubectl("wait", "--for=condition=Ready", "--timeout=120s", "isvc/plain")
        yield found


def _run(
    here: Site, folder: Path, target: str, warmup: str, users: Callable[[], Ask]
) -> Verdict:
    here.target = target
    on = ClusterStage(here, folder)
    policy = on.policy(POLICY.replace(WARMUP, warmup))
    # A gateway without a route before this one has no listener yet.
    until(lambda: stage.is_served(users))
    began = time.monotonic()
    with steady(users, ["hello", "thanks"], RPS, 8) as answers:
        code, said = on.verb("run", "-f", str(policy))
    bad = [each for each in answers if each.error]
    took = time.monotonic() - began
    return on.noted(target, Verdict(code, said, took, len(bad), len(answers)))


def _weights(here: Site, route: str) -> list[int]:
    rules = here.cluster.get(route_path(here.namespace, route))["spec"]["rules"]
    return [each["weight"] for each in rules[1]["backendRefs"]]


@needs_gateway
@pytest.mark.parametrize("version", VERDICTS)
def test_an_echo_server_behind_one_rule_of_a_route(
    here: Site, tmp_path: Path, version: str
) -> None:
    name, host = f"echo-{version}", stage.host_of(f"echo-{version}", here)
    stage.apply(here, stage.route("echo", name, host))
    users = stage.over_http(f"{GATEWAY_API}/echo", host)
    target = f"{{route: {name}, namespace: {here.namespace}, backend: gateway}}"
    warmup = "warmup: {requests: 5, settle: 5s, path: /echo, body: {text: hello}}"
    found = _run(here, tmp_path, target, warmup, users)
    assert found.code == VERDICTS[version], found.said
    assert "by /echo, 0 failed" in found.said or version == "bad", found.said
    assert WATCHED in found.said
    assert _weights(here, name) == ([0, 100] if version == "good" else [100, 0])


@needs_gateway
@pytest.mark.parametrize("version", VERDICTS)
def test_a_grpc_server_behind_one_rule_of_a_route(
    here: Site, tmp_path: Path, version: str
) -> None:
    name, host = f"talk-{version}", stage.host_of(f"talk-{version}", here)
    stage.apply(here, stage.route("talk", name, host))
    users = stage.over_grpc(GATEWAY_API.removeprefix("http://"), host)
    target = f"{{route: {name}, namespace: {here.namespace}, backend: gateway}}"
    found = _run(here, tmp_path, target, WARMUP, users)
    assert found.code == VERDICTS[version], found.said
    assert "a gRPC server is sent none" in found.said
    assert _weights(here, name) == ([0, 100] if version == "good" else [100, 0])


@pytest.mark.parametrize("version", VERDICTS)
def test_a_plain_model_of_kserve(here: Site, tmp_path: Path, version: str) -> None:
    path = service_path(here.namespace, "plain")
    before = _newest(here, path)
    stage.apply(here, stage.plain(stage.VERSIONS[version], 0))
    target = here.of("plain")
    here.target = target
    ClusterStage(here, tmp_path).until(lambda: _newest(here, path) != before)
    host = stage.host_of("plain-predictor", here)
    users = stage.over_http(f"{INGRESS}{stage.PLAIN}", host)
    found = _run(here, tmp_path, target, WARMUP, users)
    assert found.code == VERDICTS[version], found.said
    assert WATCHED in found.said


def test_a_grpc_server_in_knative_mode_is_not_judged_and_stays_at_0(
    here: Site, tmp_path: Path
) -> None:
    """Its failed calls are HTTP's 200 to everyone but itself."""
    path = service_path(here.namespace, "talk")
    stage.apply(here, stage.talk(None))
    here.kubectl("wait", "--for=condition=Ready", "--timeout=120s", "isvc/talk")
    before = _newest(here, path)
    stage.apply(here, stage.talk(0))
    here.target = here.of("talk")
    on = ClusterStage(here, tmp_path)
    on.until(lambda: _newest(here, path) != before)
    short = POLICY.replace("step: 60s", "step: 10s")
    code, said = on.verb("run", "-f", str(on.policy(short)))
    assert code == Exit.UNREACHABLE, said
    assert "traffic is held at 0 %" in said
    assert "for another server use backend: gateway" in said


def _newest(here: Site, path: str) -> str:
    status = here.cluster.get(path).get("status", {})
    return str(status["components"]["predictor"]["latestCreatedRevision"])
