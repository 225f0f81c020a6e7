"""What runs has no more rights than it needs, and is reached by nobody else."""

import json
import stat
from pathlib import Path

import pytest
import yaml

from scripts.local import envoy_config
from scripts.local.store import Store
from scripts.rollout.journal.file import FileJournal
from scripts.rollout.state.actions import Request
from tests.supply.sbom import ROOT

PREDICTORS = sorted(
    path
    for path in (ROOT / "manifests").glob("**/isvc-*.yaml")
    if "containers" in yaml.safe_load(path.read_text())["spec"]["predictor"]
)
JOB = ROOT / "manifests" / "promotion" / "job.yaml"


@pytest.mark.parametrize("path", [*PREDICTORS, JOB], ids=lambda path: path.stem)
def test_every_container_is_restricted(path: Path) -> None:
    spec = yaml.safe_load(path.read_text())["spec"]
    pod = spec["template"]["spec"] if path == JOB else spec["predictor"]
    for container in pod["containers"]:
        context = container["securityContext"]
        assert context["runAsNonRoot"] is context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert context["runAsUser"] > 0
    is_shared = any(pod.get(each) for each in ("hostNetwork", "hostPID", "hostIPC"))
    assert not is_shared
    assert not any("hostPath" in each for each in pod.get("volumes", ()))


def test_local_modes_state_is_for_its_owner_alone(tmp_path: Path) -> None:
    store = Store(tmp_path / "state")
    store.create(8080, tmp_path)
    assert _mode(store.folder) == 0o700
    (tmp_path / "old").mkdir(mode=0o755)
    Store(tmp_path / "old").create(8080, tmp_path)
    assert _mode(tmp_path / "old") == 0o700


def test_a_journal_is_for_its_owner_alone(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "rollouts" / "default.intent")
    journal.ask(Request("pause"))
    assert _mode(journal.folder) == 0o700


def test_envoys_admin_port_is_on_loopback(tmp_path: Path) -> None:
    path = envoy_config.write_bootstrap(tmp_path, 8080, 9901)
    admin = json.loads(path.read_text())["admin"]["address"]["socket_address"]
    assert (admin["address"], admin["port_value"]) == ("127.0.0.1", 9901)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# What `kubectl auth can-i VERB RESOURCE --as` the promoter's account answers no to.
REFUSED = (
    "get secrets",
    "list secrets",
    "get inferenceservices/other",
    "list inferenceservices",
    "create inferenceservices",
    "delete inferenceservices/intent",
    "update inferenceservices/intent",
    "patch services/intent-predictor",
    "delete services/intent-predictor",
    "get configmaps/other",
    "list configmaps",
    "delete configmaps/intent-rollout",
    "delete leases/intent-rollout",
    "create pods",
    "delete pods",
    "create pods/exec",
    "get pods/proxy",
    "patch deployments",
    "create roles",
    "create rolebindings",
    "create serviceaccounts/token",
)
GRANTED = (
    "get inferenceservices/intent",
    "patch inferenceservices/intent",
    "list pods",
    "create leases",
)


def test_the_promoters_account_may_do_its_work_and_nothing_else() -> None:
    text = (ROOT / "manifests" / "promotion" / "rbac.yaml").read_text()
    documents = list(yaml.safe_load_all(text))
    kinds = {document["kind"] for document in documents}
    assert kinds == {"ServiceAccount", "Role", "RoleBinding"}
    (role,) = (document for document in documents if document["kind"] == "Role")
    assert not any("*" in words for rule in role["rules"] for words in rule.values())
    assert [asked for asked in REFUSED if _may(role["rules"], asked)] == []
    assert [asked for asked in GRANTED if not _may(role["rules"], asked)] == []


def _may(rules: list[dict[str, list[str]]], asked: str) -> bool:
    """Decide as RBAC does; a subresource is asked for as a name that no rule has."""
    verb, _, what = asked.partition(" ")
    resource, _, name = what.partition("/")
    return any(
        verb in rule["verbs"]
        and (resource in rule["resources"] or what in rule["resources"])
        and ("resourceNames" not in rule or name in rule["resourceNames"])
        and (name == "" or "resourceNames" in rule)
        for rule in rules
    )
