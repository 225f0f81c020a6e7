"""A GitOps controller beside a rollout: each trap is shown to be real, then avoided.

Its writes are server-side applies of Git's manifest with --force-conflicts, under the
managers' names of Argo CD and Flux.
"""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.local.processes import ROOT
from scripts.rollout.cluster.client import MANAGER
from scripts.rollout.errors import Exit
from scripts.rollout.policy.backends import PERCENT_FIELD
from scripts.rollout.traffic.routes.httproute import route_path
from tests.e2e import routes
from tests.e2e.routes import GATEWAY_API, weights
from tests.support.backends import intent
from tests.support.cluster_stage import RPS, ClusterStage
from tests.support.site import Object
from tests.support.stage import POLICY, STABLE

ARGO, FLUX = "argocd-controller", "kustomize-controller"
EVERY_S = 2.0
# Long enough at the first weight for more writes than are allowed.
SLOW = POLICY.replace("dwell: 1s", "dwell: 40s")
CANARY = "intent-predictor-00002"
SHOWN = "-o", "json", "--show-managed-fields"


needs_gateway = pytest.mark.skipif(
    not GATEWAY_API, reason="GATEWAY_API: no gateway of the Gateway API is named"
)


@pytest.fixture
def routed(tmp_path: Path) -> Iterator[ClusterStage]:
    """A namespace for an HTTPRoute."""
    with routes.stage(tmp_path) as built:
        yield built


def _apply(on: ClusterStage, document: Object, manager: str, *more: str) -> str:
    """Server-side apply of a manifest, as a controller does it."""
    given = yaml.safe_dump(document)
    force = ("--server-side", "--force-conflicts", f"--field-manager={manager}")
    return on.backend.kubectl("apply", *force, *more, "-f", "-", given=given)


def _live(on: ClusterStage, kind: str) -> Object:
    """The manifest of what is there, as somebody's Git would hold it.

    With its marks: what was applied before and is not here would be removed.
    """
    found = json.loads(on.backend.kubectl("get", kind, "intent", "-o", "json"))
    marks = found["metadata"].get("annotations", {})
    marks.pop("kubectl.kubernetes.io/last-applied-configuration", None)
    metadata = {"name": "intent", "annotations": marks}
    metadata["labels"] = found["metadata"].get("labels", {})
    kinds = {key: found[key] for key in ("apiVersion", "kind", "spec")}
    return {**kinds, "metadata": metadata}


def _git(on: ClusterStage, percent: int | None) -> Object:
    """The InferenceService's manifest, with another percent."""
    found = _live(on, "isvc")
    found["spec"]["predictor"].pop(PERCENT_FIELD, None)
    if percent is not None:
        found["spec"]["predictor"][PERCENT_FIELD] = percent
    return found


def _route(on: ClusterStage, *weights: int) -> Object:
    """The HTTPRoute's manifest with these weights, or without any."""
    found = _live(on, "httproute")
    references = found["spec"]["rules"][0]["backendRefs"]
    for place, each in enumerate(references):
        each.pop("weight", None)
        each.update({"weight": weights[place]} if weights else {})
    return found


def _set(on: ClusterStage) -> str:
    """The percent that the InferenceService has, "" without one."""
    path = f"jsonpath={{.spec.predictor.{PERCENT_FIELD}}}"
    return on.backend.kubectl("get", "isvc", "intent", "-o", path)


def _owned(found: Object, manager: str) -> Object:
    """The fields of `spec` that a manager owns."""
    mine: list[Object] = [
        entry["fieldsV1"]["f:spec"]
        for entry in found["metadata"]["managedFields"]
        if entry["manager"] == manager and "f:spec" in entry["fieldsV1"]
    ]
    return mine[-1]


@contextmanager
def _fighter(on: ClusterStage, document: Object, manager: str) -> Iterator[None]:
    """Git's manifest, applied again and again."""
    over = threading.Event()

    def fight() -> None:
        while not over.wait(EVERY_S):
            _apply(on, document, manager)

    fighting = threading.Thread(target=fight)
    fighting.start()
    try:
        yield
    finally:
        over.set()
        fighting.join(60)


def test_a_percent_that_git_gives_up_goes_unless_it_is_applied_by_us(
    on: ClusterStage,
) -> None:
    """Real: the next apply promotes, also after an equal merge patch. Then avoided."""
    patch = ("patch", "isvc", "intent", "--type=merge", f"--field-manager={MANAGER}")
    ours = {"spec": {"predictor": {PERCENT_FIELD: 10}}}
    git = _git(on, None)
    for manager in (ARGO, FLUX):
        _apply(on, _git(on, 10), manager)
        on.backend.kubectl(*patch, "-p", json.dumps(ours))
        _apply(on, git, manager)
        assert _set(on) == ""
    _apply(on, _git(on, 10), FLUX)
    _apply(on, {**git, **ours}, MANAGER)
    _apply(on, git, FLUX)
    assert _set(on) == "10"


def test_a_percent_that_is_ignored_is_missing_from_the_next_version_too(
    on: ClusterStage,
) -> None:
    """Real: Argo CD puts the live value, none, into v2: it gets everything at once.

    Avoided: nothing is ignored, and Git's 0 is applied with the version.
    """
    v2 = intent("v2", None)
    on.backend.apply(v2)
    on.until(lambda: on.newest() == CANARY and on.percent(CANARY) == 100)
    v3 = intent("v2", 0, NEXT="3")
    on.backend.apply(v3)
    on.until(lambda: on.newest() not in (STABLE, CANARY) and on.is_ready())
    assert on.percent(CANARY) == 100


def test_an_annotation_on_the_service_is_a_new_revision(on: ClusterStage) -> None:
    """Real: Flux's marks belong on an HTTPRoute alone."""
    mark = "kustomize.toolkit.fluxcd.io/ssa=IfNotPresent"
    on.backend.kubectl("annotate", "isvc", "intent", mark)
    on.until(lambda: on.newest() != STABLE)


def test_a_controller_that_fights_is_named_and_ends_the_rollout_at_the_stable(
    on: ClusterStage,
) -> None:
    on.version("v2")
    with on.users(RPS):
        promoter = on.start(SLOW)
        on.until(lambda: on.percent(CANARY) == 10)
        with _fighter(on, _git(on, 5), ARGO):
            said, _ = promoter.communicate(timeout=150)
    assert promoter.returncode in (Exit.GUARD, Exit.UNVERIFIED), said
    assert f"{ARGO} put 5 back at " in said
    assert "4th time; 3 are allowed" in said


def test_git_has_the_verdict_and_the_next_sync_changes_nothing(
    on: ClusterStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real: Git's old percent takes the promotion back. Avoided: --git."""
    for name in ("GIT_AUTHOR", "GIT_COMMITTER"):
        monkeypatch.setenv(f"{name}_NAME", "somebody")
        monkeypatch.setenv(f"{name}_EMAIL", "nobody")
    folder = on.folder / "repository"
    folder.mkdir()
    manifest = folder / "isvc.yaml"
    _in(folder, "init", "-qb", "main")
    on.version("v2")
    before = _git(on, 10)
    manifest.write_text(yaml.safe_dump(before))
    _in(folder, "add", ".")
    _in(folder, "commit", "-qm", "v2 at 10 %")
    with on.users(RPS):
        write = ("--write-manifest", str(manifest), "--git", "verdict")
        code, said = on.verb("run", "-f", str(on.policy()), *write)
    assert code == 0, said
    assert f"{PERCENT_FIELD} is gone, commit " in said
    _apply(on, yaml.safe_load(_in(folder, "show", "verdict:isvc.yaml")), FLUX)
    assert (_set(on), on.percent(CANARY)) == ("", 100)
    _apply(on, before, FLUX)
    on.until(lambda: on.percent(STABLE) == 90)


def _in(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout


@needs_gateway
def test_a_route_and_its_lists_cannot_be_shared_and_weights_left_out_are_equal(
    routed: ClusterStage,
) -> None:
    """Real: rules and spec.canary are owned whole, and a missing weight is 1.

    Avoided: Git keeps 100 and 0, and an annotation makes nothing new of a route.
    """
    route = (ROOT / "manifests" / "standard-mode" / "route.yaml").read_text()
    routed.backend.kubectl("apply", "-f", "-", given=route)
    path = route_path(routed.backend.namespace, "intent")
    _apply(routed, _route(routed, 75, 25), MANAGER)
    assert _owned(routed.backend.cluster.get(path), MANAGER)["f:rules"] == {}
    _apply(routed, _route(routed), FLUX)
    assert weights(routed.backend) == [1, 1]
    _apply(routed, _route(routed, 100, 0), FLUX)
    before = routed.backend.cluster.get(path)["metadata"]["generation"]
    mark = "kustomize.toolkit.fluxcd.io/ssa=IfNotPresent"
    routed.backend.kubectl("annotate", "httproute", "intent", mark)
    found = routed.backend.cluster.get(path)["metadata"]["generation"]
    assert (found, weights(routed.backend)) == (before, [100, 0])
    own = yaml.safe_load_all((ROOT / "tests/data/standard-canary.yaml").read_text())
    (service,) = (each for each in own if each["kind"] == "InferenceService")
    dry = _apply(routed, service, MANAGER, "--dry-run=server", *SHOWN)
    managed: Any = json.loads(dry)
    assert _owned(managed, MANAGER)["f:canary"] == {}


@needs_gateway
def test_a_controller_that_fights_for_a_route_is_named_and_ends_the_rollout(
    routed: ClusterStage,
) -> None:
    routes.apply(routed.backend)
    with routed.users(RPS):
        promoter = routed.start(SLOW)
        routed.until(lambda: weights(routed.backend) == [90, 10])
        with _fighter(routed, _route(routed, 95, 5), FLUX):
            said, _ = promoter.communicate(timeout=150)
    assert promoter.returncode in (Exit.GUARD, Exit.UNVERIFIED), said
    assert f"{FLUX} put 5 back at " in said
    assert "4th time; 3 are allowed" in said
