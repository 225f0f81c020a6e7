"""The pair of Ingresses on a real API server, whoever splits the requests.

INGRESS_NGINX names the address of a controller. Without one its part is done here, by
the annotation as the API server has it.
"""

import json
import os
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from scripts.inference.clients import Answer, Ask, Target, connect
from scripts.inference.load import steady
from scripts.rollout.cluster.client import Object
from scripts.rollout.policy.policy import Target as RolloutTarget
from scripts.rollout.traffic.ingress_nginx import IngressNginxTraffic
from scripts.rollout.traffic.routes.canary_ingress import (
    CANARY,
    WEIGHT,
    ingress_path,
)
from tests.e2e.images import FAULTS
from tests.support.cluster_stage import RPS
from tests.support.plain import OVERLAYS, Plain, patch, plain
from tests.support.site import Site
from tests.support.stage import POLICY, check_answered, texts

CONTROLLER = os.environ.get("INGRESS_NGINX", "")
SERVICE = "/spec/rules/0/http/paths/0/backend/service/name"
SYNC_S = 0.3


class Nginx(Plain):
    """Deployments behind two Ingresses."""

    overlay = OVERLAYS / "ingress-nginx"

    def __init__(self, backend: Site, folder: Path) -> None:
        """Ask the controller by a host of this namespace."""
        super().__init__(backend, folder)
        backend.url = CONTROLLER
        where = f"namespace: {backend.namespace}, backend: ingress-nginx"
        backend.target = f"{{ingress: intent, {where}}}"

    def changes(self, canary: str) -> list[Object]:
        """The host, and the canary's Service."""
        host = {"/spec/rules/0/host": self.backend.host}
        service = {SERVICE: f"intent-{canary}"}
        return [patch("Ingress", host), patch("Ingress", service, "intent-canary")]

    def weights(self) -> list[int]:
        """The stable's and the canary's, as the annotation has them."""
        path = ingress_path(self.backend.namespace, "intent-canary")
        canary = self.backend.cluster.get(path)
        weight = int(canary["metadata"]["annotations"][WEIGHT])
        return [100 - weight, weight]

    def addresses(self) -> list[str]:
        """Both Ingresses' Services, the stable's first."""
        space = self.backend.namespace
        found = []
        for name in ("intent", "intent-canary"):
            read = self.backend.cluster.get(ingress_path(space, name))
            (path,) = read["spec"]["rules"][0]["http"]["paths"]
            service = path["backend"]["service"]["name"]
            one = self.backend.cluster.get(
                f"/api/v1/namespaces/{space}/services/{service}"
            )
            found.append(f"http://{one['spec']['clusterIP']}")
        return found

    @contextmanager
    def users(self, rps: float = RPS) -> Iterator[list[Answer]]:
        """Users of the controller, or of a stand-in that splits as it would."""
        if CONTROLLER:
            with super().users(rps) as answers:
                yield answers
            return
        with _split(self) as ask, steady(ask, texts(), rps, 8) as answers:
            yield answers


@contextmanager
def _split(on: Nginx) -> Iterator[Callable[[], Ask]]:
    """Send each request to one of both Services, by the weight of a moment ago."""
    ended, weight = threading.Event(), [on.weights()[1]]

    def sync() -> None:
        while not ended.wait(SYNC_S):
            weight[0] = on.weights()[1]

    addresses = on.addresses()

    def ask_one() -> Ask:
        asks = [connect("v2", Target(url, None, "intent")) for url in addresses]
        return lambda text: asks[random.random() * 100 < weight[0]](text)

    thread = threading.Thread(target=sync)
    thread.start()
    try:
        yield ask_one
    finally:
        ended.set()
        thread.join()


@pytest.fixture(scope="module")
def on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """One deployment for all of these."""
    with plain(tmp_path_factory.mktemp("nginx"), Nginx) as built:
        built.backend.kubectl("apply", "-k", str(built.folder))
        wait = ["wait", "--for=condition=Available", "--timeout=120s"]
        built.backend.kubectl(*wait, "deployment", "--all")
        yield built


def test_a_good_version_is_promoted_and_taken_back(on: Nginx) -> None:
    verdict = on.noted("ingress-nginx: promoted", on.run(POLICY))
    assert verdict.code == 0, verdict.said
    assert "intent-v2 promoted" in verdict.said
    assert on.weights() == [0, 100]
    assert verdict.failed == 0
    code, said = on.verb("undo", "intent")
    assert code == 0, said
    assert on.weights() == [100, 0]


@pytest.mark.parametrize(
    ("model", "code", "said"),
    [("failing", 10, "errors: "), ("one-class", 10, "labels: its labels are ")],
)
def test_a_faulty_version_is_rolled_back(
    on: Nginx, model: str, code: int, said: str
) -> None:
    on.another(model, FAULTS, model)
    wait = ["wait", "--for=condition=Available", "--timeout=120s"]
    on.backend.kubectl(*wait, f"deployment/intent-{model}")
    verdict = on.noted(f"ingress-nginx: {model}", on.run(POLICY))
    on.forget(model)
    assert verdict.code == code, verdict.said
    assert said in verdict.said
    assert on.weights() == [100, 0]


def test_a_weight_that_git_leaves_out_is_the_promoters_alone(on: Nginx) -> None:
    """Real: with the weight in Git it is put back. Avoided: without it."""
    target = RolloutTarget.model_validate(yaml.safe_load(on.backend.target))
    traffic = IngressNginxTraffic(on.backend.cluster, target, "predictor")
    found = json.loads(
        on.backend.kubectl("get", "ingress", "intent-canary", "-o", "json")
    )
    kinds = {key: found[key] for key in ("apiVersion", "kind", "spec")}
    force = ("--server-side", "--force-conflicts", "-f", "-")
    for marks, weights in (
        ({CANARY: "true", WEIGHT: "0"}, [100, 0]),
        ({CANARY: "true"}, [75, 25]),
    ):
        git = {**kinds, "metadata": {"name": "intent-canary", "annotations": marks}}
        traffic.observe()
        traffic.set_weight(25)
        assert on.weights() == [75, 25]
        for manager in ("argocd-controller", "kustomize-controller"):
            by = f"--field-manager={manager}"
            on.backend.kubectl("apply", by, *force, given=yaml.safe_dump(git))
        assert on.weights() == weights
    traffic.observe()
    traffic.set_weight(0)


def test_a_weight_set_by_hand_is_kept_until_a_person_says_more(on: Nginx) -> None:
    on.another("by-hand", "intent-classifier:v2", "v2")
    wait = ["wait", "--for=condition=Available", "--timeout=120s"]
    on.backend.kubectl(*wait, "deployment/intent-by-hand")
    with on.users() as answers:
        promoter = on.start(POLICY + "pauseAt: [50]\n")
        on.until(lambda: on.weights() == [50, 50])
        # Not before it counts as in force: until then the promoter sets it again.
        on.until(lambda: "'intent-by-hand': 50" in str(on.records()))
        annotate = ["annotate", "--overwrite", "ingress/intent-canary", f"{WEIGHT}=3"]
        on.backend.kubectl(*annotate)
        on.until(lambda: "by hand" in str(on.records()))
        assert on.weights() == [97, 3]
        code, said = on.verb("abort", "intent")
        assert code == 0, said
        said, _ = promoter.communicate(timeout=110)
    on.forget("by-hand")
    assert promoter.returncode == 12, said
    assert on.weights() == [100, 0]
    check_answered(answers)
