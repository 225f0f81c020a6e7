"""Headers of each question to a Prometheus server; secrets are read anew."""

import base64

from scripts.rollout import secret
from scripts.rollout.policy.prometheus import PrometheusServer, Secret

PLACE = "source.prometheus"


def headers(server: PrometheusServer) -> dict[str, str]:
    """Raises Unreachable where a secret cannot be read; it is never part of that."""
    found = {
        name: secret.filled(f"{PLACE}.headers.{name}", value)
        for name, value in (server.headers or {}).items()
    }
    if server.basic is not None:
        password = _read("basic.password", server.basic.password)
        both = f"{server.basic.username}:{password}".encode()
        found["Authorization"] = f"Basic {base64.b64encode(both).decode()}"
    if server.bearer is not None:
        found["Authorization"] = f"Bearer {_read('bearer', server.bearer)}"
    return found


def _read(key: str, named: Secret) -> str:
    place = f"{PLACE}.{key}"
    if named.env is not None:
        return secret.of_variable(place, named.env)
    return secret.of_file(place, str(named.file))
