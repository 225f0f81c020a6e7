"""A kubeconfig, a plugin that logs in, an API server with and without TLS."""

import json
import ssl
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

Object = dict[str, Any]
NAME = "api.cluster.test"


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key as PEM."""

    certificate: str
    key: str


class Authority:
    """A CA that lasts for one test run."""

    def __init__(self) -> None:
        """Make its certificate."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named("test CA")
        self.pem = self._signed("test CA", self._key, is_ca=True)

    def pair(self, name: str, *addresses: x509.GeneralName) -> Pair:
        """A certificate of its own for `name`."""
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return Pair(self._signed(name, key, addresses), pem.decode())

    def _signed(
        self,
        name: str,
        key: ec.EllipticCurvePrivateKey,
        addresses: tuple[x509.GeneralName, ...] = (),
        *,
        is_ca: bool = False,
    ) -> str:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_named(name))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
        )
        if addresses:
            names = x509.SubjectAlternativeName(addresses)
            builder = builder.add_extension(names, critical=False)
        signed = builder.sign(self._key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM).decode()


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


class ApiServer:
    """Answers who takes the right token or certificate with an object."""

    def __init__(self, server: HTTPServer) -> None:
        """Accept every token until `accepts` is set."""
        self.url = server.url_for("").rstrip("/")
        self.accepts: set[str] | None = None
        self.shown: list[str] = []
        self.hosts: list[str] = []
        server.expect_request("/api").respond_with_handler(self._answer)

    def _answer(self, request: Request) -> Response:
        pem = request.environ.get("SSL_CLIENT_CERT")
        shown = request.headers.get("Authorization", "")
        if pem:
            subject = x509.load_pem_x509_certificate(pem.encode()).subject
            shown = str(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
        self.shown.append(shown)
        self.hosts.append(request.host)
        if self.accepts is None or shown in self.accepts:
            return Response(json.dumps({"kind": "Found"}))
        no = {"kind": "Status", "message": "Unauthorized"}
        return Response(json.dumps(no), status=401)


@pytest.fixture
def api(httpserver: HTTPServer) -> ApiServer:
    return ApiServer(httpserver)


def _secure(authority: Authority, folder: Path, name: x509.GeneralName) -> HTTPServer:
    own = authority.pair("server", name)
    (folder / "server.pem").write_text(own.certificate + own.key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.pem")
    context.load_verify_locations(cadata=authority.pem)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # as an API server, written in Go
    server = HTTPServer(host="127.0.0.1", ssl_context=context)
    server.start()
    return server


@pytest.fixture
def secure_api(authority: Authority, tmp_path: Path) -> Iterator[ApiServer]:
    """An API server with TLS whose certificate is for NAME alone."""
    server = _secure(authority, tmp_path, x509.DNSName(NAME))
    yield ApiServer(server)
    server.stop()


def kubeconfig(path: Path, server: str, user: Object, **cluster: object) -> None:
    """A kubeconfig with one context, `here`, in namespace `shop`."""
    context = {"cluster": "c", "user": "u", "namespace": "shop"}
    config = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": context}],
        "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "u", "user": user}],
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(config))


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path that KUBECONFIG names."""
    path = tmp_path / "kube" / "config"
    monkeypatch.setenv("KUBECONFIG", str(path))
    return path


V1 = "client.authentication.k8s.io/v1"


class Plugin:
    """A shell script beside the kubeconfig that hands out what `gives` says."""

    def __init__(self, folder: Path) -> None:
        """Hand out a token with the number of the call that never expires."""
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.gives({"token": "t-COUNT"})
        self.runs('echo "$KUBERNETES_EXEC_INFO" >> asked; cat -s given')
        self.user: Object = {
            "exec": {
                "apiVersion": V1,
                "command": "./plugin",
                "interactiveMode": "Never",
                "installHint": "pip install\n  the-plugin",
            }
        }

    def runs(self, body: str) -> None:
        """Another script, in the plugin's folder."""
        path = self.folder / "plugin"
        count = "N=$(cat asked 2>/dev/null | wc -l); N=$((N + 1))"
        counted = body.replace("cat -s given", "sed s/COUNT/$N/ given")
        path.write_text(f'#!/bin/sh\ncd "$(dirname "$0")"\n{count}\n{counted}\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def gives(self, status: Object, version: str = V1) -> None:
        """Hand out another credential from now on."""
        answer = {"apiVersion": version, "kind": "ExecCredential", "status": status}
        (self.folder / "given").write_text(json.dumps(answer))

    @property
    def asked(self) -> list[Object]:
        """KUBERNETES_EXEC_INFO of every call."""
        path = self.folder / "asked"
        return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def plugin(config: Path) -> Plugin:
    return Plugin(config.parent)


def at(seconds: float) -> str:
    """A time in the plugin's form, so many seconds from now."""
    then = datetime.now(UTC) + timedelta(seconds=seconds)
    return then.strftime("%Y-%m-%dT%H:%M:%SZ")
