"""A Prometheus that wants a login, a tenant or a certificate: shown, and never told."""

import base64
import ssl
import subprocess
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from scripts.rollout.errors import Unreachable
from scripts.rollout.metrics.prometheus.api import Api
from scripts.rollout.policy.prometheus import PrometheusServer

SECRET = "hunter2"
EMPTY = {"status": "success", "data": {"resultType": "vector", "result": []}}


def _api(url: str, **login: object) -> Api:
    return Api(PrometheusServer.model_validate({"url": url, **login}))


def _asked(httpserver: HTTPServer, **login: object) -> dict[str, str]:
    """The headers of one question."""
    httpserver.expect_request("/api/v1/query").respond_with_json(EMPTY)
    assert _api(httpserver.url_for(""), **login).vector("up") == []
    # The server is shared: another test's questions may still come.
    asked = [each for each, _ in httpserver.log if each.path == "/api/v1/query"]
    return dict(asked[-1].headers)


def test_a_tenant_is_named_with_every_question(httpserver: HTTPServer) -> None:
    assert _asked(httpserver, headers={"X-Scope-OrgID": "a"})["X-Scope-Orgid"] == "a"


def test_a_password_comes_from_a_variable(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSWORD", SECRET)
    basic = {"username": "canary", "password": {"env": "PASSWORD"}}
    shown = _asked(httpserver, basic=basic)["Authorization"]
    assert shown == f"Basic {base64.b64encode(b'canary:hunter2').decode()}"


def test_a_token_is_read_anew_for_each_question(
    httpserver: HTTPServer, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    for token in ("one", "two"):
        file.write_text(f"{token}\n")
        shown = _asked(httpserver, bearer={"file": str(file)})["Authorization"]
        assert shown == f"Bearer {token}"


@pytest.mark.parametrize("text", ["", f"{SECRET}\nx", f"{SECRET}\u00e9"])
def test_a_token_that_cannot_be_shown_is_said_without_it(
    text: str, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(Unreachable, match=r"bearer: file .*: expected one") as error:
        _api("http://127.0.0.1:1", bearer={"file": str(file)}).vector("up")
    assert SECRET not in str(error.value)


def test_a_secret_that_is_not_there_is_silence_with_its_place(tmp_path: Path) -> None:
    lost = {"file": str(tmp_path / "none")}
    with pytest.raises(Unreachable, match=r"bearer: file .*: No such file"):
        _api("http://127.0.0.1:1", bearer=lost).vector("up")
    with pytest.raises(Unreachable, match="bearer: variable NOT_SET: expected one"):
        _api("http://127.0.0.1:1", bearer={"env": "NOT_SET"}).vector("up")


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 that vouches for itself, and its key beside it."""
    file = tmp_path / "ca.pem"
    command = "openssl req -x509 -nodes -newkey rsa:2048 -days 1 -subj /CN=test".split()
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-out", str(file), "-keyout", str(file.with_suffix(".key"))]
    subprocess.run(command, check=True, capture_output=True)
    return file


def test_an_authority_of_ones_own_is_trusted_where_it_is_named(authority: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, authority.with_suffix(".key"))
    with HTTPServer(host="127.0.0.1", ssl_context=context) as server:
        server.expect_request("/api/v1/query").respond_with_json(EMPTY)
        assert _api(server.url_for(""), ca=str(authority)).vector("up") == []
        with pytest.raises(Unreachable, match="certificate verify failed"):
            _api(server.url_for("")).vector("up")
        with pytest.raises(Unreachable, match="No such file"):
            _api(server.url_for(""), ca=str(authority.with_name("none"))).vector("up")
