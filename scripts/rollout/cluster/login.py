"""The login of a kubeconfig, as kubectl finds it.

`kubernetes` reads and merges the files, and knows what old auth-providers want; nothing
else here imports it, and this only when a kubeconfig is used (0.15 s, 4 MB).
"""

import base64
import hashlib
import ipaddress
import os
import tempfile
import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

import yaml

from scripts.rollout.cluster import plugin
from scripts.rollout.cluster.session import Login, Route
from scripts.rollout.errors import RolloutError

DEFAULT = "~/.kube/config"
# A token file is written anew before its token ends; client-go reads it as often.
FILE_S = 60.0
USER_FILES = ("client-certificate", "client-key", "tokenFile")
Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Context:
    """A context of the kubeconfig: how to log in, and its namespace."""

    login: Login
    namespace: str


def paths() -> str:
    """Return the files of the kubeconfig, separated as on the PATH."""
    return os.environ.get("KUBECONFIG") or DEFAULT


def renew(name: str | None) -> Login:
    """Log in again from the files as they are now. Raises RolloutError."""
    found = find(name)
    if found is None:
        raise RolloutError(f"kubeconfig {paths()} is not there any more")
    return found.login


def find(name: str | None) -> Context | None:
    """Return a context, by default the current one; None without a kubeconfig.

    Raises RolloutError.
    """
    if not any(Path(each).expanduser().is_file() for each in paths().split(os.pathsep)):
        return None
    from kubernetes.config.config_exception import ConfigException

    try:
        return _find(name)
    except (ConfigException, yaml.YAMLError, OSError) as error:
        said = " ".join(str(error).split())
        raise RolloutError(f"kubeconfig {paths()}: {said}") from error
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise RolloutError(f"kubeconfig {paths()}: {error!r}") from error


def _find(name: str | None) -> Context | None:
    from kubernetes.config.kube_config import KubeConfigMerger

    merged = KubeConfigMerger(paths())
    if merged.config is None:
        return None
    chosen = name or _current(merged.config_files)
    known = [each.value["name"] for each in merged.config.value["contexts"]]
    if chosen not in known:
        got = f"got {chosen}" if chosen else "no current-context is set"
        raise RolloutError(
            f"kubeconfig {paths()}: expected --context to be one of "
            f"{', '.join(known)}; {got}"
        )
    context = merged.config["contexts"].get_with_name(chosen).value["context"]
    login = _login(merged.config, chosen, context)
    return Context(login, context.get("namespace") or "default")


def _current(files: Object) -> str:
    """Return current-context of the first file with one, as kubectl does.

    `kubernetes` takes the last file's.
    """
    found = (each.get("current-context") for each in files.values())
    return next(filter(None, found), "")


def _login(config: Any, name: str, context: Object) -> Login:
    from kubernetes.client import Configuration
    from kubernetes.config.kube_config import KubeConfigLoader

    user = _user(config, context.get("user"))
    node = config["clusters"].get_with_name(context["cluster"])
    cluster = node.value["cluster"]
    loaded = Configuration()
    KubeConfigLoader(config, name, config_base_path=None).load_and_set(loaded)
    route = Route(
        server=loaded.host,
        ca=loaded.ssl_ca_cert,
        certificate=loaded.cert_file,
        key=loaded.key_file,
        is_verified=loaded.verify_ssl,
        server_name=loaded.tls_server_name,
        proxy=_proxy(loaded.host, loaded.proxy, cluster),
    )
    if user.token_file:
        token = Path(user.token_file).read_text(encoding="utf-8").strip()
        return Login(route, f"Bearer {token}", time.time() + FILE_S)
    shown = loaded.get_api_key_with_prefix("BearerToken") or ""
    if user.plugin is None or shown:
        return Login(route, shown, time.time() + FILE_S if user.is_renewed else None)
    if route.ca:
        trusted = base64.b64encode(Path(route.ca).read_bytes()).decode()
        cluster = {**cluster, plugin.INFO_DATA: trusted}
    return _of_plugin(route, plugin.log_in(user.plugin, user.folder, cluster))


@dataclass(frozen=True, slots=True)
class User:
    """A user's fields that are read here, because `kubernetes` and kubectl differ.

    It reads a token's file once and keeps its newline, and runs plugins without a
    timeout.
    """

    folder: Path = Path()
    plugin: Object | None = None
    token_file: str = ""
    is_renewed: bool = False


def _user(config: Any, name: str | None) -> User:
    """Return the user of that name, and remove its fields from `config`.

    Paths are relative to the user's file; `kubernetes` takes the cluster's.
    """
    node = config["users"].get_with_name(name, safe=True) if name else None
    if node is None:
        return User()
    entry, folder = node.value.get("user") or {}, Path(node.path).absolute().parent
    for key in USER_FILES:
        if entry.get(key):
            entry[key] = str(folder / entry[key])
    return User(
        folder,
        entry.pop("exec", None),
        entry.pop("tokenFile", ""),
        is_renewed="auth-provider" in entry,
    )


def _of_plugin(route: Route, found: plugin.Credential) -> Login:
    if found.certificate:
        files = _kept(found.certificate), _kept(found.key)
        route = replace(route, certificate=files[0], key=files[1])
    shown = f"Bearer {found.token}" if found.token else ""
    return Login(route, shown, found.expires)


def _kept(content: str) -> str:
    """Write a private file, removed at the process's end; return its path."""
    path = Path(_folder().name) / hashlib.sha256(content.encode()).hexdigest()
    path.touch(mode=0o600)
    path.write_text(content, encoding="utf-8")
    return str(path)


@cache
def _folder() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="intent-canary-")


def _proxy(server: str, proxy: str | None, cluster: Object) -> str | None:
    """Return the cluster's own proxy or the environment's, none for this machine."""
    host = urlsplit(server).hostname or ""
    if "proxy-url" not in cluster and (_is_loopback(host) or proxy_bypass(host)):
        return None
    return proxy


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
