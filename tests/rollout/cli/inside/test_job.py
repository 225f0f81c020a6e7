"""`run --in-cluster`: what would keep the Job's pod from starting is said at once."""

import time
from pathlib import Path

import pytest

from scripts.canary import main
from scripts.rollout.cli.inside import job
from scripts.rollout.cluster.client import Cluster, Object
from scripts.rollout.errors import Exit, Forbidden
from tests.support.api_server import Api

ACCOUNT = "/api/v1/namespaces/shop/serviceaccounts/bot-canary"
TARGET = "{inferenceservice: bot, namespace: shop, backend: knative}"
NO = 'pods "bot-rollout-1" is forbidden: violates PodSecurity "restricted:latest"'
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
Captured = pytest.CaptureFixture[str]


class Admitting(Api):
    """An API server that admits pods or not, for people who may create them or not."""

    def __init__(self, *, refuses: bool = False, may: bool = True) -> None:
        super().__init__()
        self._refuses, self._may = refuses, may
        self.created: list[tuple[str, Object]] = []

    def create(self, path: str, content: Object) -> Object:
        if path == REVIEWS:
            return {"status": {"allowed": self._may}}
        if self._refuses and path.startswith("/api/v1/namespaces/shop/pods"):
            raise Forbidden(403, NO)
        self.created.append((path, content))
        return {"metadata": {"name": "bot-rollout-1"}}


@pytest.fixture
def policy(tmp_path: Path) -> str:
    """A policy of the InferenceService shop/bot."""
    path = tmp_path / "p.yaml"
    path.write_text(f"target: {TARGET}\n")
    return str(path)


def _run(
    api: Api, policy: str, monkeypatch: pytest.MonkeyPatch, starts_s: float = 0.0
) -> int:
    monkeypatch.setattr(Cluster, "of", lambda _: api)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    monkeypatch.setattr(job, "STARTS_S", starts_s)
    return main(["run", "-f", policy, "--in-cluster"])


def test_a_missing_account_is_named_with_the_command_that_makes_it(
    policy: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    api = Admitting()
    assert _run(api, policy, monkeypatch) == Exit.USAGE
    said = capsys.readouterr().err
    assert "ServiceAccount shop/bot-canary not found" in said
    assert "manifests bot -n shop --backend knative | kubectl apply -f -" in said
    assert api.created == []


def test_a_pod_that_is_not_admitted_ends_it_in_the_apis_words(
    policy: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    api = Admitting(refuses=True)
    api.objects[ACCOUNT] = {}
    assert _run(api, policy, monkeypatch) == Exit.USAGE
    assert f"the Job's pod could not start: {NO}" in capsys.readouterr().err
    assert api.created == []


def test_who_may_create_jobs_alone_is_asked_for_no_more(
    policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = Admitting(refuses=True, may=False)
    api.objects[ACCOUNT] = {}
    assert _run(api, policy, monkeypatch) == 0


def test_a_dry_pod_is_asked_about_and_the_job_is_named_by_its_service(
    policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = Admitting()
    api.objects[ACCOUNT] = {}
    assert _run(api, policy, monkeypatch) == 0
    paths = [path for path, _ in api.created]
    assert paths == [
        "/api/v1/namespaces/shop/pods?dryRun=All",
        "/api/v1/namespaces/shop/configmaps",
        "/apis/batch/v1/namespaces/shop/jobs",
    ]
    (_, pod), _, (_, made) = api.created
    assert pod["spec"] == made["spec"]["template"]["spec"]
    assert pod["spec"]["serviceAccountName"] == "bot-canary"
    assert made["metadata"]["generateName"] == "bot-rollout-"


@pytest.mark.parametrize(
    ("state", "code", "said"),
    [
        ({"running": {}}, 0, "job bot-rollout-1 has started"),
        ({"terminated": {}}, 0, "job bot-rollout-1 has started"),
        ({"waiting": {"reason": "ContainerCreating"}}, 0, "waits for its pod"),
        (
            {"waiting": {"reason": "ErrImagePull", "message": "no such image: x"}},
            2,
            "job bot-rollout-1 does not start: no such image: x; it goes on trying",
        ),
    ],
)
def test_a_job_that_cannot_start_as_it_is_is_said(
    state: Object,
    code: int,
    said: str,
    policy: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Captured,
) -> None:
    api = Admitting()
    api.objects[ACCOUNT] = {}
    api.objects["/api/v1/namespaces/shop/pods/bot-rollout-1-x"] = {
        "metadata": {"labels": {job.JOB_NAME: "bot-rollout-1"}},
        "status": {"containerStatuses": [{"state": state}]},
    }
    is_open = state.get("waiting", {}).get("reason") == "ContainerCreating"
    assert _run(api, policy, monkeypatch, 0.2 if is_open else 60.0) == code
    assert said in "".join(capsys.readouterr())


def test_a_policy_without_a_namespace_is_in_that_of_the_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("target: {inferenceservice: bot, backend: knative}\n")
    api = Admitting()
    api.namespace = "shop"
    assert _run(api, str(path), monkeypatch) == Exit.USAGE
    assert "ServiceAccount shop/bot-canary not found" in capsys.readouterr().err
