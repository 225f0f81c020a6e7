"""Credential plugins of a kubeconfig: the commands that log in on EKS, GKE and AKS.

`kubernetes` runs them too, but without a timeout, with errors only logged, without
installHint, and reads no certificate again after its expiry (config/exec_provider.py of
37.0). Their input and output: client.authentication.k8s.io, v1 and v1beta1.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from scripts.rollout.errors import RolloutError

# A plugin asks a cloud's API, which answers within seconds; a person needs longer.
TIMEOUT_S, PERSON_S = 60.0, 300.0
EXTENSION = "client.authentication.k8s.io/exec"
INFO = ("server", "tls-server-name", "insecure-skip-tls-verify", "proxy-url")
INFO_DATA = "certificate-authority-data"
Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Credential:
    """A plugin's output: a token, or a certificate and its key as PEM.

    `expires` is in seconds since 1970, None if the credential does not expire.
    """

    token: str = ""
    certificate: str = ""
    key: str = ""
    expires: float | None = None


def log_in(spec: Object, folder: Path, cluster: Object) -> Credential:
    """Run the plugin of a kubeconfig in `folder`. Raises RolloutError."""
    try:
        command = _command(spec["command"], folder)
        version = spec["apiVersion"]
    except KeyError as error:
        raise RolloutError(f"exec of the kubeconfig: expected {error}") from error
    is_interactive = _is_interactive(spec)
    env = {each["name"]: each["value"] for each in spec.get("env") or ()}
    asked: Object = {"interactive": is_interactive}
    if spec.get("provideClusterInfo"):
        asked["cluster"] = _cluster_info(cluster)
    info = {"apiVersion": version, "kind": "ExecCredential", "spec": asked}
    env["KUBERNETES_EXEC_INFO"] = json.dumps(info)
    call = [command, *(spec.get("args") or ())]
    try:
        printed = _run(call, env, is_interactive=is_interactive)
        return _credential(printed, version)
    except ValueError as error:
        hint = " ".join(str(spec.get("installHint") or "").split())
        said = f"login by {spec['command']}: {error}"
        raise RolloutError(f"{said} ({hint})" if hint else said) from error


def _command(command: str, folder: Path) -> str:
    """Return a path relative to its kubeconfig; leave a bare name to the PATH."""
    return str(folder / command) if "/" in command else command


def _is_interactive(spec: Object) -> bool:
    """Return whether the plugin may prompt on this terminal. Raises RolloutError."""
    mode, is_terminal = spec.get("interactiveMode", "IfAvailable"), sys.stdin.isatty()
    if mode == "Always" and not is_terminal:
        raise RolloutError(
            f"login by {spec['command']}: asks a person (interactiveMode: Always), and "
            "standard input is no terminal"
        )
    return is_terminal and mode != "Never"


def _cluster_info(cluster: Object) -> Object:
    info = {key: cluster[key] for key in (*INFO, INFO_DATA) if key in cluster}
    for each in cluster.get("extensions") or ():
        if each.get("name") == EXTENSION:
            info["config"] = each.get("extension")
    return info


def _run(call: list[str], env: Mapping[str, str], *, is_interactive: bool) -> str:
    """Return the plugin's output. Raises ValueError if it fails or hangs."""
    try:
        process = subprocess.Popen(
            call,
            env={**os.environ, **env},
            stdin=None if is_interactive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if is_interactive else subprocess.PIPE,
            text=True,
            start_new_session=not is_interactive,
        )
    except OSError as error:
        raise ValueError(error.strerror) from error
    timeout_s = PERSON_S if is_interactive else TIMEOUT_S
    with process:
        try:
            printed, complained = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            _kill(process, is_group=not is_interactive)
            raise ValueError(f"no answer in {timeout_s:.0f} s") from error
    if process.returncode:
        lines = (complained or "").strip().splitlines()
        said = f": {lines[-1].strip()}" if lines else ""
        raise ValueError(f"exit code {process.returncode}{said}")
    return printed


def _kill(process: "subprocess.Popen[str]", *, is_group: bool) -> None:
    """End the plugin; if it leads a process group, its children too."""
    if is_group:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


def _credential(printed: str, version: str) -> Credential:
    try:
        answer = json.loads(printed)
        if answer["apiVersion"] != version:
            raise ValueError(f"expected {version}, got {answer['apiVersion']}")
        status = answer["status"]
        expires = status.get("expirationTimestamp")
        found = Credential(
            token=status.get("token") or "",
            certificate=status.get("clientCertificateData") or "",
            key=status.get("clientKeyData") or "",
            expires=expires and datetime.fromisoformat(expires).timestamp(),
        )
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise ValueError(f"not an ExecCredential: {error!r}") from error
    if not found.token and not (found.certificate and found.key):
        raise ValueError("neither a token nor a certificate with its key")
    return found
