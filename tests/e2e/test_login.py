"""A plugin logs in at a real API server: a certificate, and a token it refuses."""

import base64
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.rollout.cluster.client import Cluster
from scripts.rollout.errors import Forbidden
from tests.rollout.cluster.conftest import Plugin
from tests.support.site import site


def _as_plugin(plugin: Plugin, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Replace the user of KUBECONFIG by the plugin; the user as it was."""
    content = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
    (entry,) = content["users"]
    before: dict[str, Any] = entry["user"]
    entry["user"] = plugin.user
    path = plugin.folder / "config"
    path.write_text(yaml.safe_dump(content))
    monkeypatch.setenv("KUBECONFIG", str(path))
    return before


def _pem(user: dict[str, Any], name: str) -> str:
    if name in user:
        return Path(user[name]).read_text()
    return base64.b64decode(user[f"{name}-data"]).decode()


def test_a_plugins_certificate_is_taken_for_the_one_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = Plugin(tmp_path)
    admin = _as_plugin(plugin, monkeypatch)
    certificate, key = _pem(admin, "client-certificate"), _pem(admin, "client-key")
    plugin.gives({"clientCertificateData": certificate, "clientKeyData": key})
    names = [
        each["metadata"]["name"]
        for each in Cluster.here().get("/api/v1/namespaces")["items"]
    ]
    assert "kube-system" in names
    assert len(plugin.asked) == 1


def test_a_token_that_is_refused_is_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with site(tmp_path) as here, monkeypatch.context() as patch:
        here.kubectl("create", "serviceaccount", "caller")
        token = here.kubectl("create", "token", "caller", "--duration", "10m").strip()
        plugin = Plugin(tmp_path / "plugin")
        _as_plugin(plugin, patch)
        plugin.gives({"token": "not-a-token"})
        cluster = Cluster.here()
        plugin.gives({"token": token})
        account = f"system:serviceaccount:{here.namespace}:caller"
        with pytest.raises(Forbidden, match=account) as found:
            cluster.get("/api/v1/namespaces")
        assert found.value.status == 403
        assert len(plugin.asked) == 2
