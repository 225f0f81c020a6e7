"""A GitOps controller's manager beside the percent: traps are real, then avoided."""

import json

import pytest
import yaml

from scripts.rollout.cluster.client import MANAGER
from scripts.rollout.policy.backends import PERCENT_FIELD
from tests.support.cluster_stage import ClusterStage
from tests.support.site import Object

CONTROLLERS = ("argocd-controller", "kustomize-controller")


def _apply(on: ClusterStage, document: Object, manager: str) -> None:
    """Server-side apply of a manifest, as a controller does it."""
    given = yaml.safe_dump(document)
    force = ("--server-side", "--force-conflicts", f"--field-manager={manager}")
    on.backend.kubectl("apply", *force, "-f", "-", given=given)


def _git(on: ClusterStage, percent: int | None) -> Object:
    """The manifest of what is there, with another percent."""
    found = json.loads(on.backend.kubectl("get", "isvc", "intent", "-o", "json"))
    predictor = found["spec"]["predictor"]
    predictor.pop(PERCENT_FIELD, None)
    if percent is not None:
        predictor[PERCENT_FIELD] = percent
    kinds = {key: found[key] for key in ("apiVersion", "kind", "spec")}
    return {**kinds, "metadata": {"name": "intent"}}


def _set(on: ClusterStage) -> str:
    """The percent that the InferenceService has, "" without one."""
    path = f"jsonpath={{.spec.predictor.{PERCENT_FIELD}}}"
    return on.backend.kubectl("get", "isvc", "intent", "-o", path)


@pytest.mark.parametrize("manager", CONTROLLERS)
def test_a_percent_that_git_gives_up_goes_unless_it_is_applied_by_us(
    on: ClusterStage, manager: str
) -> None:
    """Real: the next apply promotes, also after an equal merge patch. Then avoided."""
    patch = ("patch", "isvc", "intent", "--type=merge", f"--field-manager={MANAGER}")
    ours = {"spec": {"predictor": {PERCENT_FIELD: 10}}}
    _apply(on, _git(on, 10), manager)
    on.backend.kubectl(*patch, "-p", json.dumps(ours))
    git = _git(on, None)
    _apply(on, git, manager)
    assert _set(on) == ""
    _apply(on, _git(on, 10), manager)
    _apply(on, {**git, **ours}, MANAGER)
    _apply(on, git, manager)
    assert _set(on) == "10"
