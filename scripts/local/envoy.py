"""Runs Envoy, sends it configuration, and checks that Envoy has it in force."""

import hashlib
import logging
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import requests

from scripts.local import envoy_config, processes
from scripts.local.envoy_config import Backend, Host
from scripts.local.processes import Child
from scripts.local.store import Store

ROLE = "envoy"
ADMIN_TIMEOUT_S = 2.0
TAKES_S = 2.0
RESTART_S = 1.0

logger = logging.getLogger(__name__)


class Gateway:
    """Envoy, and the configuration that was sent last."""

    def __init__(self, store: Store, port: int, child: Child | None) -> None:
        """Adopt a running Envoy, or be ready to start one."""
        self._store = store
        self._port = port
        self._child = child
        self._told: dict[str, str] = {}
        self._next_start = 0.0
        if child is not None:
            self.admin = Admin(int(child.env["ADMIN_PORT"]))

    def keep(self) -> None:
        """Start Envoy if it is not running; it reads the last configuration's files."""
        is_alive = self._child is not None and self._child.is_alive()
        if is_alive or time.monotonic() < self._next_start:
            return
        self._next_start = time.monotonic() + RESTART_S
        (admin_port,) = processes.free_ports(1)
        folder = self._store.envoy
        if not self._told:
            envoy_config.write_clusters(folder, "0", [])
            envoy_config.write_routes(folder, "0", [])
        bootstrap = envoy_config.write_bootstrap(folder, self._port, admin_port)
        command = [
            envoy_config.executable(),
            "-c",
            str(bootstrap),
            "--disable-hot-restart",
        ]
        command += ["--concurrency", "1", "--log-level", "warning"]
        log = self._store.logs / "envoy.log"
        env = {"ADMIN_PORT": str(admin_port)}
        self._child = processes.spawn(self._store.folder, ROLE, command, env, log)
        self.admin = Admin(admin_port)
        logger.info("envoy started, pid %d", self._child.process.pid)

    def tell(self, backends: list[Backend], hosts: list[Host]) -> bool:
        """Send clusters, then routes; return whether Envoy has both in force."""
        folder = self._store.envoy
        return self._send(
            "clusters",
            backends,
            lambda version: envoy_config.write_clusters(folder, version, backends),
        ) and self._send(
            "routes",
            hosts,
            lambda version: envoy_config.write_routes(folder, version, hosts),
        )

    def _send(self, kind: str, content: Any, write: Callable[[str], None]) -> bool:
        version = hashlib.sha256(repr(content).encode()).hexdigest()[:12]
        if not content or self._told.get(kind) == version:
            return True
        write(version)
        deadline = time.monotonic() + TAKES_S
        while time.monotonic() < deadline:
            if self.admin.versions().get(kind) == version:
                self._told[kind] = version
                return True
            time.sleep(0.02)
        logger.warning("envoy has not taken %s %s yet", kind, version)
        return False


class Admin:
    """Reads Envoy's state from its admin port."""

    def __init__(self, port: int) -> None:
        """Talk to the admin listener on loopback."""
        self.url = f"http://127.0.0.1:{port}"
        self._session = requests.Session()

    def versions(self) -> dict[str, str]:
        """Return the versions in force of "clusters" (if warm) and "routes"; or {}."""
        dump = self._get("/config_dump")
        versions = {}
        for part in dump.get("configs", ()):
            if part["@type"].endswith("ClustersConfigDump"):
                versions["clusters"] = part.get("version_info", "")
                if part.get("dynamic_warming_clusters"):
                    versions["clusters"] = ""
            if part["@type"].endswith("RoutesConfigDump"):
                for routes in part.get("dynamic_route_configs", ()):
                    versions["routes"] = routes.get("version_info", "")
        return versions

    def weights(self, host: str) -> dict[str, int] | None:
        """Return the percent of each cluster that a host routes to, None if unknown."""
        dump = self._get("/config_dump", params={"resource": "dynamic_route_configs"})
        for part in dump.get("configs", ()):
            for domain in part["route_config"].get("virtual_hosts", ()):
                if domain["name"] == host:
                    split = domain["routes"][-1]["route"]["weighted_clusters"]
                    return {
                        cluster["name"].removeprefix(envoy_config.STAND_IN): int(
                            cluster.get("weight", 0)
                        )
                        for cluster in split["clusters"]
                    }
        return None

    def active_requests(self, cluster: str) -> int:
        """Return the number of requests that a revision has yet to answer."""
        names = rf"(tag/)?{re.escape(cluster)}"
        pattern = rf"^cluster\.{names}\.upstream_rq(_pending)?_active$"
        stats = self._get("/stats", params={"format": "json", "filter": pattern})
        values = [each["value"] for each in stats.get("stats", ()) if "value" in each]
        return int(sum(values))

    def _get(
        self, path: str, params: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        try:
            answer = self._session.get(
                self.url + path, params=params, timeout=ADMIN_TIMEOUT_S
            )
            return dict(answer.json())
        except requests.RequestException:
            return {}
