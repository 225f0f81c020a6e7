"""What `pip install` gives, and what the promoter's image has, each somewhere else.

Nothing of this checkout or its environment is to be seen from there.
"""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from scripts.local.processes import ROOT
from tests.support.dockerfile import assemble
from tests.support.environments import build, environment, run

COMMANDS = ("intent-canary", "intent-infer", "intent-local", "kubectl-intent_canary")
JOB = "scripts/rollout/cluster/promoter/job.yaml"
SHIPPED = ROOT / "manifests" / "rollout.yaml"
CLUSTERS = ROOT / "manifests" / "promotion" / "rollout.yaml"
ARGUMENTS = "run -f /policy/rollout.yaml --journal - --metrics :9464".split()
# Every module of a folder; prints those that cannot be imported.
IMPORT_ALL = """
import importlib, pkgutil, scripts
def failed(name):
    try:
        importlib.import_module(name)
    except ImportError as error:
        return f"{name}: {error.name}"
found = pkgutil.walk_packages(scripts.__path__, "scripts.")
print(*filter(None, (failed(each.name) for each in found)), sep="\\n")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the sources, in a copy: a build leaves its folders beside them."""
    return build(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Programs of an environment in which there is the wheel and what it asks for."""
    locked = ("-c", str(ROOT / "requirements.lock"))
    return environment(tmp_path_factory.mktemp("installed"), str(wheel), *locked)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the promoter's image: its packages, and the files it copies."""
    folder = tmp_path_factory.mktemp("image")
    lock = str(ROOT / "requirements-promoter.lock")
    environment(folder, "--require-hashes", "-r", lock)
    assemble("promoter", folder / "app")
    return folder


@pytest.fixture
def cluster(httpserver: HTTPServer, tmp_path: Path) -> HTTPServer:
    """An API server that takes a ConfigMap and Jobs; `tmp_path` has its kubeconfig."""
    maps = "/api/v1/namespaces/default/configmaps"
    absent = {"kind": "Status", "message": "not found"}
    httpserver.expect_request(f"{maps}/intent-rollout-policy").respond_with_json(
        absent, status=404
    )

    def created(request: Request) -> Response:
        content = request.get_json()
        content["metadata"].setdefault("name", "created")
        return Response(json.dumps(content), content_type="application/json")

    pods, account = "/api/v1/namespaces/default/pods", "serviceaccounts/intent-canary"
    httpserver.expect_request(
        f"/api/v1/namespaces/default/{account}"
    ).respond_with_json({})
    httpserver.expect_request(
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", method="POST"
    ).respond_with_json({"status": {"allowed": True}})
    running: dict[str, Any] = {"containerStatuses": [{"state": {"running": {}}}]}
    httpserver.expect_request(pods, method="GET").respond_with_json(
        {"items": [{"status": running}]}
    )
    for path in (maps, pods, "/apis/batch/v1/namespaces/default/jobs"):
        asked = httpserver.expect_request(path, method="POST")
        asked.respond_with_handler(created)
    named = {
        "clusters": [{"name": "c", "cluster": {"server": httpserver.url_for("/")}}],
        "users": [{"name": "u", "user": {"token": "secret"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
    }
    config = {"apiVersion": "v1", "kind": "Config", "current-context": "x", **named}
    (tmp_path / "config").write_text(json.dumps(config))
    return httpserver


def _job(cluster: HTTPServer) -> object:
    (request,) = (each for each, _ in cluster.log if each.path.endswith("/jobs"))
    return request.get_json()["spec"]["template"]["spec"]["containers"][0]["args"]


def test_a_wheel_has_packages_and_their_data_and_nothing_of_the_clone(
    wheel: Path,
) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"predictor", "scripts", "intent_classifier-0.1.0.dist-info"}
    assert not [name for name in names if name.startswith("scripts/demo")]
    data = {name for name in names if name.startswith("scripts") and ".py" not in name}
    for folder in ("report", "dashboard"):
        assets = ROOT / "scripts" / "rollout" / folder / "assets"
        assert {str(path.relative_to(ROOT)) for path in assets.iterdir()} <= data
    templates = (ROOT / JOB).parent.glob("*.yaml")
    assert {str(path.relative_to(ROOT)) for path in templates} <= data


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_starts_in_an_empty_environment(
    installed: Path, command: str, tmp_path: Path
) -> None:
    code, said, error = run(installed, [command, "--help"], tmp_path)
    assert code == 0, error
    assert "usage" in said.lower()


def test_lint_and_replay_work_where_only_the_wheel_is(
    installed: Path, tmp_path: Path
) -> None:
    lint = ["intent-canary", "lint", "-f", str(SHIPPED)]
    assert run(installed, lint, tmp_path)[0] == 0
    rows = [
        f"{10 * look},{arm},{500 * look},{bad * look},0"
        for look in range(30)
        for arm, bad in (("canary", 100), ("stable", 0))
    ]
    header = "time_s,arm,requests,errors,slow"
    (tmp_path / "counters.csv").write_text("\n".join([header, *rows]))
    replay = ["intent-canary", "replay", "counters.csv", "--policy", str(SHIPPED)]
    code, said, error = run(installed, replay, tmp_path)
    assert code == 10, error
    assert "errors: 20.00% against 0.00%" in said


def test_run_in_cluster_finds_its_job_in_the_wheel(
    installed: Path, cluster: HTTPServer, tmp_path: Path
) -> None:
    command = ["intent-canary", "run", "--in-cluster", "-f", str(CLUSTERS)]
    config = str(tmp_path / "config")
    code, _, error = run(installed, command, tmp_path, KUBECONFIG=config)
    assert code == 0, error
    assert _job(cluster) == ARGUMENTS


def test_run_in_cluster_finds_its_job_in_the_promoters_image(
    image: Path, cluster: HTTPServer, tmp_path: Path
) -> None:
    command = [
        "python",
        "-m",
        "scripts.canary",
        "run",
        "--in-cluster",
        "-f",
        str(CLUSTERS),
    ]
    programs, config = image / "venv" / "bin", str(tmp_path / "config")
    code, _, error = run(programs, command, image / "app", KUBECONFIG=config)
    assert code == 0, error
    assert _job(cluster) == ARGUMENTS


def test_the_promoters_image_lacks_only_what_local_mode_and_the_page_need(
    image: Path,
) -> None:
    programs = image / "venv" / "bin"
    code, said, error = run(programs, ["python", "-c", IMPORT_ALL], image / "app")
    assert code == 0, error
    page = "scripts.rollout.dashboard"
    assert said.split("\n")[:-1] == [
        f"{page}.app: starlette",
        f"{page}.guard: starlette",
        f"{page}.server: uvicorn",
        "scripts.rollout.traffic.local: scripts.local",
    ]
    start = ["python", "-m", "scripts.canary", "dashboard"]
    code, _, error = run(programs, start, image / "app")
    assert (code, "dashboard needs uvicorn: pip install" in error) == (2, True)


def test_local_mode_says_which_packages_it_lacks(
    installed: Path, tmp_path: Path
) -> None:
    apply = ["intent-local", "apply", "-f", str(ROOT / "manifests" / "isvc-v1.yaml")]
    code, _, error = run(installed, apply, tmp_path)
    assert code == 1
    assert "(kserve, sklearn): pip install '.[predictor]' in the clone" in error
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []
