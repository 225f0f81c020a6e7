"""Headers of each question to a Prometheus server; secrets are read anew."""

import base64
import os
from pathlib import Path

from scripts.rollout.errors import Unreachable
from scripts.rollout.policy.prometheus import PrometheusServer, Secret


def headers(server: PrometheusServer) -> dict[str, str]:
    """Raises Unreachable where a secret cannot be read; it is never part of that."""
    found = dict(server.headers or {})
    if server.basic is not None:
        password = _read("basic.password", server.basic.password)
        both = f"{server.basic.username}:{password}".encode()
        found["Authorization"] = f"Basic {base64.b64encode(both).decode()}"
    if server.bearer is not None:
        found["Authorization"] = f"Bearer {_read('bearer', server.bearer)}"
    return found


def _read(key: str, secret: Secret) -> str:
    place = f"source.prometheus.{key}"
    if secret.env is not None:
        found, where = os.environ.get(secret.env, ""), f"variable {secret.env}"
    else:
        path, where = Path(str(secret.file)), f"file {secret.file}"
        try:
            found = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8"
            raise Unreachable(f"{place}: {where}: {reason}") from None
    if not found or not (found.isascii() and found.isprintable()):
        raise Unreachable(f"{place}: {where}: expected one line of ASCII")
    return found
