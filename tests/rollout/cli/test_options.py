"""Where a rollout is looked for by its name: this machine, a cluster, both, neither."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from scripts.canary import main
from scripts.rollout.cluster.client import Cluster
from scripts.rollout.journal.configmap import ConfigMapJournal
from scripts.rollout.journal.file import FileJournal
from scripts.rollout.journal.port import Journal
from scripts.rollout.journal.saved import Saved
from tests.support.api_server import OWNER, Api
from tests.support.worlds import POLICY, Rollout

MAP = "/api/v1/namespaces/{}/configmaps/intent-rollout"
NAMED = ("status", "watch", "explain", "pause", "resume", "approve", "abort", "undo")

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A person's home without a cluster, who works in it."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    Cluster.of.cache_clear()
    yield tmp_path
    Cluster.of.cache_clear()


def _begin(journal: Journal) -> None:
    journal.commit(Saved(Rollout.begun().state, POLICY), "begin", {"n": 1})


@pytest.fixture
def local(home: Path) -> str:
    """A rollout on this machine; its folder."""
    journal = FileJournal.of(home / ".local", "default.intent")
    _begin(journal)
    return str(journal)


@pytest.fixture
def cluster(
    home: Path, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """Sets KUBECONFIG to a cluster with rollouts in these namespaces, if any."""

    def serve(*namespaces: str, context_namespace: str = "") -> None:
        for namespace in namespaces:
            api = Api()
            _begin(ConfigMapJournal(api, namespace, "intent", "me", OWNER))
            path = MAP.format(namespace)
            httpserver.expect_request(path).respond_with_json(api.objects[path])
        refusal = {"kind": "Status", "message": "not found"}
        httpserver.expect_request(MAP.format("default")).respond_with_json(
            refusal, status=404
        )
        _kubeconfig(home, httpserver.url_for("/"), context_namespace)
        monkeypatch.setenv("KUBECONFIG", str(home / "config"))

    return serve


def _kubeconfig(folder: Path, server: str, namespace: str = "") -> None:
    context = {"cluster": "c", "user": "u"}
    if namespace:
        context["namespace"] = namespace
    named = {
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "secret"}}],
        "contexts": [{"name": "x", "context": context}],
    }
    config = {"apiVersion": "v1", "kind": "Config", "current-context": "x", **named}
    (folder / "config").write_text(json.dumps(config))


@pytest.mark.usefixtures("local")
def test_a_rollout_on_this_machine_is_found_below_the_working_directory(
    capsys: Captured,
) -> None:
    assert main(["status", "intent"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("default.intent  ")
    assert said.err == ""


def test_a_rollout_on_the_cluster_is_found_without_a_hint(
    cluster: Callable[..., None], capsys: Captured
) -> None:
    cluster("default")
    assert main(["status", "intent"]) == 0
    assert capsys.readouterr().out.startswith("default.intent  ")


def test_the_contexts_namespace_is_meant_where_none_is_named(
    cluster: Callable[..., None], capsys: Captured
) -> None:
    cluster("prod", context_namespace="prod")
    assert main(["explain", "intent", "--cluster"]) == 0
    assert main(["explain", "intent", "-n", "default"]) == 2
    assert "no rollout of default.intent in ConfigMap" in capsys.readouterr().err


@pytest.mark.parametrize("verb", NAMED)
def test_a_rollout_in_both_is_none_until_the_person_says_which(
    verb: str, local: str, cluster: Callable[..., None], capsys: Captured
) -> None:
    cluster("default")
    assert main([verb, "intent"]) == 2
    said = capsys.readouterr().err
    assert said == (
        f"error: two rollouts: default.intent in {local} and default.intent in "
        "ConfigMap intent-rollout; say which: --local or --cluster\n"
    )
    assert main(["status", "intent", "--cluster"]) == 0
    assert main(["status", "intent", "--local"]) == 0
    assert capsys.readouterr().err == ""


def test_a_rollout_that_is_nowhere_says_where_was_looked(
    home: Path, cluster: Callable[..., None], capsys: Captured
) -> None:
    here = home / ".local" / "rollouts" / "default.intent"
    assert main(["status", "intent"]) == 2
    assert capsys.readouterr().err == f"error: no rollout of default.intent in {here}\n"
    cluster()
    assert main(["status", "intent"]) == 2
    there = "no rollout of default.intent in ConfigMap intent-rollout"
    assert capsys.readouterr().err == (
        f"error: no rollout of default.intent in {here}, {there}\n"
    )


def test_a_cluster_that_does_not_answer_is_said_with_what_was_looked_at(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    _kubeconfig(home, "http://127.0.0.1:9")
    monkeypatch.setenv("KUBECONFIG", str(home / "config"))
    assert main(["status", "intent"]) == 40
    said = capsys.readouterr().err
    assert "no rollout of default.intent in " in said
    assert "; the cluster cannot be read: http://127.0.0.1:9: " in said
    assert said.count("\n") == 1
    assert main(["status", "intent", "--local"]) == 2
    assert "the cluster" not in capsys.readouterr().err


def test_a_local_rollout_is_used_without_the_cluster_which_is_said(
    home: Path, local: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(home / "none"))
    assert main(["status", "intent", "-o", "json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["target"] == "default.intent"
    assert f"set KUBECONFIG; this is about {local}\n" in said.err
