"""Plugins that log in: what they are asked, what they hand out, how they fail."""

import time
from pathlib import Path

import pytest

from scripts.rollout.cluster import plugin as plugins
from scripts.rollout.cluster.client import Cluster
from scripts.rollout.errors import RolloutError, Unreachable
from tests.rollout.cluster.conftest import (
    ApiServer,
    Authority,
    Pair,
    Plugin,
    at,
    kubeconfig,
)
from tests.support.waiting import until


def test_a_token_of_a_plugin_is_shown_and_the_plugin_asked_once(
    plugin: Plugin, config: Path, api: ApiServer
) -> None:
    kubeconfig(config, api.url, plugin.user)
    cluster = Cluster.here()
    assert [cluster.get("/api")["kind"] for _ in range(3)] == ["Found"] * 3
    assert api.shown == ["Bearer t-1"] * 3
    assert plugin.asked == [
        {
            "apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "spec": {"interactive": False},
        }
    ]


def test_a_token_that_has_expired_is_fetched_again(
    plugin: Plugin, config: Path, api: ApiServer
) -> None:
    plugin.gives({"token": "t-COUNT", "expirationTimestamp": at(-1)})
    kubeconfig(config, api.url, plugin.user)
    cluster = Cluster.here()
    cluster.get("/api")
    plugin.gives({"token": "t-COUNT", "expirationTimestamp": at(600)})
    cluster.get("/api")
    cluster.get("/api")
    assert api.shown == ["Bearer t-2", "Bearer t-3", "Bearer t-3"]


def test_a_token_that_is_refused_is_fetched_again_once(
    plugin: Plugin, config: Path, api: ApiServer
) -> None:
    api.accepts = {"Bearer t-2"}
    kubeconfig(config, api.url, plugin.user)
    cluster = Cluster.here()
    assert cluster.get("/api")["kind"] == "Found"
    assert api.shown == ["Bearer t-1", "Bearer t-2"]
    api.accepts = set()
    with pytest.raises(RolloutError, match="GET /api: Unauthorized"):
        cluster.get("/api")
    assert api.shown[2:] == ["Bearer t-2", "Bearer t-3"]


def test_pages_that_are_read_over_the_same_connections_show_the_newest_token(
    plugin: Plugin, config: Path, api: ApiServer
) -> None:
    api.accepts = {"Bearer t-2"}
    kubeconfig(config, api.url, plugin.user)
    answer = Cluster.here().http.request("GET", f"{api.url}/api", timeout=5)
    assert answer.status == 200


def _hand_out(plugin: Plugin, pair: Pair, expires: str) -> None:
    plugin.gives(
        {
            "clientCertificateData": pair.certificate,
            "clientKeyData": pair.key,
            "expirationTimestamp": expires,
        }
    )


def test_certificates_of_a_plugin_are_shown_and_renewed(
    plugin: Plugin, config: Path, secure_api: ApiServer, authority: Authority
) -> None:
    _hand_out(plugin, authority.pair("first"), at(600))
    (config.parent / "ca.crt").write_text(authority.pem)
    trusted = {"tls-server-name": "api.cluster.test", "certificate-authority": "ca.crt"}
    kubeconfig(config, secure_api.url, plugin.user, **trusted)
    secure_api.accepts = {"first"}
    cluster = Cluster.here()
    assert cluster.get("/api")["kind"] == "Found"
    secure_api.accepts = {"second"}
    _hand_out(plugin, authority.pair("second"), at(-1))
    assert cluster.get("/api")["kind"] == "Found"
    _hand_out(plugin, authority.pair("third"), at(600))
    secure_api.accepts = {"third"}
    assert cluster.get("/api")["kind"] == "Found"
    assert secure_api.shown == ["first", "first", "second", "third"]


def test_a_plugin_that_wants_to_know_the_cluster_is_told(
    plugin: Plugin, config: Path, api: ApiServer
) -> None:
    plugin.user["exec"]["provideClusterInfo"] = True
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"id": 7}}
    kubeconfig(config, api.url, plugin.user, extensions=[extension])
    Cluster.here()
    assert plugin.asked[0]["spec"] == {
        "interactive": False,
        "cluster": {"server": api.url, "config": {"id": 7}},
    }


def test_arguments_and_environment_are_the_kubeconfigs(
    plugin: Plugin, config: Path, api: ApiServer
) -> None:
    plugin.runs('[ "$1 $REGION" = "login north" ] || exit 3; sed s/x/x/ given')
    plugin.user["exec"] |= {
        "args": ["login"],
        "env": [{"name": "REGION", "value": "north"}],
    }
    kubeconfig(config, api.url, plugin.user)
    assert Cluster.here().get("/api")["kind"] == "Found"


def test_one_that_fails_is_told_with_its_last_line_and_how_to_install_it(
    plugin: Plugin, config: Path, api: ApiServer
) -> None:
    plugin.runs("echo warming up >&2; echo 'session ended, log in' >&2; exit 7")
    kubeconfig(config, api.url, plugin.user)
    with pytest.raises(RolloutError) as found:
        Cluster.here()
    assert str(found.value) == (
        "login by ./plugin: exit code 7: session ended, log in (pip install the-plugin)"
    )


def test_one_that_is_not_there_is_told_with_how_to_install_it(
    plugin: Plugin, config: Path, api: ApiServer
) -> None:
    plugin.user["exec"]["command"] = "no-such-plugin"
    kubeconfig(config, api.url, plugin.user)
    with pytest.raises(RolloutError, match=r"No such file.*\(pip install the-plugin"):
        Cluster.here()


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_one_that_hangs_is_ended_with_all_that_it_started(
    plugin: Plugin, config: Path, api: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins, "TIMEOUT_S", 1.0)
    plugin.runs("sleep 300 & echo $! > child; wait")
    kubeconfig(config, api.url, plugin.user)
    began = time.monotonic()
    with pytest.raises(RolloutError, match="no answer in 1 s"):
        Cluster.here()
    assert time.monotonic() - began < 30
    child = int((config.parent / "child").read_text())
    until(lambda: not _is_alive(child), 10)


def test_one_that_fails_meanwhile_is_no_answer_and_comes_back(
    plugin: Plugin, config: Path, api: ApiServer
) -> None:
    plugin.gives({"token": "t-COUNT", "expirationTimestamp": at(-1)})
    kubeconfig(config, api.url, plugin.user)
    cluster = Cluster.here()
    (config.parent / "given").rename(config.parent / "away")
    with pytest.raises(Unreachable, match=r"login by ./plugin: .*No such file"):
        cluster.get("/api")
    (config.parent / "away").rename(config.parent / "given")
    assert cluster.get("/api")["kind"] == "Found"


def test_one_that_must_ask_a_person_is_not_run_without_a_terminal(
    plugin: Plugin, config: Path, api: ApiServer
) -> None:
    plugin.user["exec"]["interactiveMode"] = "Always"
    kubeconfig(config, api.url, plugin.user)
    with pytest.raises(RolloutError, match="standard input is no terminal"):
        Cluster.here()


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("echo hello", "not an ExecCredential"),
        ("echo []", "not an ExecCredential"),
        ("sed s/token/other/ given", "neither a token nor a certificate"),
        ("sed s/v1/v9/ given", "expected client.authentication.k8s.io/v1, got"),
    ],
)
def test_an_answer_that_is_no_credential_is_refused(
    printed: str, said: str, plugin: Plugin, config: Path, api: ApiServer
) -> None:
    plugin.runs(printed)
    kubeconfig(config, api.url, plugin.user)
    with pytest.raises(RolloutError, match=said):
        Cluster.here()
