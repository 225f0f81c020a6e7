"""Logins of a kubeconfig, found as kubectl finds them."""

import base64
import os
from pathlib import Path

import pytest
import yaml

from scripts.rollout.cluster import client, login
from scripts.rollout.cluster.client import Cluster
from scripts.rollout.cluster.session import Route, connect
from scripts.rollout.errors import Forbidden, RolloutError, Unreachable
from tests.rollout.cluster.conftest import NAME, ApiServer, Authority, kubeconfig


def test_a_token_is_shown_and_the_context_names_the_namespace(
    config: Path, api: ApiServer
) -> None:
    kubeconfig(config, api.url, {"token": "secret"})
    cluster = Cluster.here()
    assert cluster.get("/api")["kind"] == "Found"
    assert (api.shown, cluster.namespace) == (["Bearer secret"], "shop")


def test_a_file_of_a_token_lies_beside_its_kubeconfig_and_is_read_again(
    config: Path, api: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login, "FILE_S", 0.0)
    kubeconfig(config, api.url, {"tokenFile": "token"})
    token = config.parent / "token"
    token.write_text("one\n")
    cluster = Cluster.here()
    cluster.get("/api")
    token.write_text("two\n")
    cluster.get("/api")
    assert api.shown == ["Bearer one", "Bearer two"]


def test_a_name_and_a_password_are_shown(config: Path, api: ApiServer) -> None:
    kubeconfig(config, api.url, {"username": "ann", "password": "b"})
    Cluster.here().get("/api")
    assert api.shown == [f"Basic {base64.b64encode(b'ann:b').decode()}"]


def test_several_files_are_one_and_the_first_says_which_context(
    tmp_path: Path, api: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, none = (tmp_path / name / "config" for name in ("one", "two", "none"))
    kubeconfig(one, api.url, {"token": "first"})
    kubeconfig(two, "http://127.0.0.1:1", {"token": "second"})
    content = yaml.safe_load(two.read_text().replace("name: here", "name: there"))
    content["current-context"] = "there"
    content["contexts"][0]["context"]["user"] = "v"
    content["users"][0]["name"] = "v"
    two.write_text(yaml.safe_dump(content))
    files = os.pathsep.join(map(str, (none, one, two)))
    monkeypatch.setenv("KUBECONFIG", files)
    Cluster.here().get("/api")
    Cluster.here("there").get("/api")
    assert api.shown == ["Bearer first", "Bearer second"]


def test_a_context_that_is_not_there_is_told_with_those_that_are(
    config: Path, api: ApiServer
) -> None:
    kubeconfig(config, api.url, {})
    with pytest.raises(RolloutError, match="one of here; got there"):
        Cluster.here("there")
    config.write_text(config.read_text().replace("current-context: here", ""))
    with pytest.raises(RolloutError, match="no current-context is set"):
        Cluster.here()


@pytest.mark.parametrize("is_data", [False, True], ids=["file", "data"])
def test_certificates_are_of_the_file_they_are_named_in(
    *,
    is_data: bool,
    config: Path,
    tmp_path: Path,
    secure_api: ApiServer,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The user stands in another folder's file than the cluster."""
    pair = authority.pair("ann")
    contents = {
        "certificate-authority": authority.pem,
        "client-certificate": pair.certificate,
        "client-key": pair.key,
    }
    users = tmp_path / "users" / "config"
    named: dict[str, str] = {}
    for name, content in contents.items():
        folder = (config if "authority" in name else users).parent
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.pem").write_text(content)
        data = base64.b64encode(content.encode()).decode()
        named |= {f"{name}-data": data} if is_data else {name: f"{name}.pem"}
    trusted = {key: named.pop(key) for key in list(named) if "authority" in key}
    kubeconfig(config, secure_api.url, {}, **trusted, **{"tls-server-name": NAME})
    kubeconfig(users, "http://127.0.0.1:1", named)
    own = yaml.safe_load(config.read_text())
    del own["users"]
    config.write_text(yaml.safe_dump(own))
    monkeypatch.setenv("KUBECONFIG", f"{config}{os.pathsep}{users}")
    Cluster.here().get("/api")
    assert secure_api.shown == ["ann"]


def test_no_connection_reads_certificates_into_what_others_use(
    tmp_path: Path, authority: Authority
) -> None:
    """OpenSSL crashed where one did while another shook hands."""
    pair = authority.pair("ann")
    files = {"ca": authority.pem, "crt": pair.certificate, "key": pair.key}
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    ca, crt, key = (str(tmp_path / name) for name in files)
    pool = connect(Route("https://127.0.0.1:1", ca, crt, key))
    assert pool.connection_pool_kw["ssl_context"].get_ca_certs()
    assert not {"ca_certs", "cert_file", "key_file"} & set(pool.connection_pool_kw)


def test_a_certificate_that_is_not_there_is_named() -> None:
    with pytest.raises(RolloutError, match=r"files: /none/ca.crt: .*No such file"):
        connect(Route("https://127.0.0.1:1", "/none/ca.crt"))


def test_a_certificate_is_checked_unless_the_kubeconfig_says_not_to(
    config: Path, secure_api: ApiServer, authority: Authority
) -> None:
    kubeconfig(config, secure_api.url, {})
    with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
        Cluster.here().get("/api")
    data = base64.b64encode(authority.pem.encode()).decode()
    kubeconfig(config, secure_api.url, {}, **{"certificate-authority-data": data})
    with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
        Cluster.here().get("/api")
    kubeconfig(config, secure_api.url, {}, **{"insecure-skip-tls-verify": True})
    assert Cluster.here().get("/api")["kind"] == "Found"


def test_a_proxy_of_the_kubeconfig_is_asked_and_the_environments_not_for_loopback(
    config: Path, api: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    kubeconfig(config, api.url, {})
    assert Cluster.here().get("/api")["kind"] == "Found"
    kubeconfig(config, f"http://{NAME}", {}, **{"proxy-url": api.url})
    assert Cluster.here().get("/api")["kind"] == "Found"
    assert api.hosts[-1] == NAME
    kubeconfig(config, f"http://{NAME}", {})
    with pytest.raises(Unreachable, match="proxy"):
        Cluster.here().get("/api")


@pytest.mark.parametrize("text", ["", "[", "a: 1", "7", "contexts: 7", "clusters: [7]"])
def test_what_is_no_kubeconfig_is_said_in_a_line(text: str, config: Path) -> None:
    config.parent.mkdir()
    config.write_text(text)
    with pytest.raises(RolloutError, match=f"kubeconfig {config}") as found:
        Cluster.here()
    assert "\n" not in str(found.value)


def test_a_pod_is_its_own_account_and_a_context_is_none_of_its(
    tmp_path: Path,
    config: Path,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    del config
    monkeypatch.setattr(client, "ACCOUNT", tmp_path)
    (tmp_path / "namespace").write_text("shop\n")
    (tmp_path / "ca.crt").write_text(authority.pem)
    cluster = Cluster.here()
    assert (cluster.is_inside, cluster.namespace) == (True, "shop")
    with pytest.raises(RolloutError, match="set KUBECONFIG"):
        Cluster.here("there")


def test_a_token_that_stays_the_same_is_refused_once(
    config: Path, api: ApiServer
) -> None:
    kubeconfig(config, api.url, {"token": "secret"})
    api.accepts = set()
    with pytest.raises(Forbidden, match="GET /api: Unauthorized"):
        Cluster.here().get("/api")
    assert api.shown == ["Bearer secret"]
