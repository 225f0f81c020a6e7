"""Connections to one API server that log in again when the login expires."""

import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import urllib3
from urllib3.util.ssl_ import create_urllib3_context

from scripts.rollout.bounded import in_time
from scripts.rollout.errors import RolloutError

UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class Route:
    """The address and trust of an API server; equal routes share connections."""

    server: str
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    is_verified: bool = True
    server_name: str | None = None
    proxy: str | None = None


@dataclass(frozen=True, slots=True)
class Login:
    """A route, the Authorization header, and the expiry in seconds since 1970."""

    route: Route
    authorization: str = ""
    expires: float | None = None


class Session(urllib3.PoolManager):
    """A connection pool for one API server, and for pods through its proxy."""

    def __init__(self, login: Login, renew: Callable[[], Login]) -> None:
        """Use `login`, and the result of `renew` after it has expired."""
        super().__init__()
        self._login, self._log_in = login, renew
        self._lock = threading.Lock()
        self._connections = connect(login.route)

    def urlopen(  # type: ignore[override]
        self, method: str, url: str, redirect: bool = True, **options: Any
    ) -> urllib3.BaseHTTPResponse:
        """Send a request; send it again with a new login if the old one is refused."""
        used, pool = self._current()
        answer = pool.urlopen(method, url, redirect, **_shown(options, used))
        if answer.status != UNAUTHORIZED:
            return answer
        renewed, pool = self._current(other_than=used)
        if renewed == used:
            return answer
        answer.drain_conn()
        return pool.urlopen(method, url, redirect, **_shown(options, renewed))

    def _current(
        self, other_than: Login | None = None
    ) -> tuple[Login, urllib3.PoolManager]:
        """Return the login and its pool; renew a login that expired or was refused."""
        with self._lock:
            expires = self._login.expires
            has_expired = expires is not None and time.time() >= expires
            if has_expired or self._login is other_than:
                self._renew()
            return self._login, self._connections

    def _renew(self) -> None:
        before = self._login.route
        try:
            self._login = self._log_in()
            if self._login.route != before:
                self._connections = connect(self._login.route)
        except RolloutError as error:
            raise urllib3.exceptions.HTTPError(str(error)) from error


def connect(route: Route) -> urllib3.PoolManager:
    """Return a pool of connections."""
    options: dict[str, Any] = {
        "num_pools": 64,
        "maxsize": 64,
        "retries": False,
    }
    if route.server_name:
        options["server_hostname"] = route.server_name
    if not route.is_verified:
        # The kubeconfig says so; a warning at every request would say nothing new.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        options["cert_reqs"] = "CERT_NONE"
        options |= {"cert_file": route.certificate, "key_file": route.key}
    else:
        options["ssl_context"] = _context(route)
    if route.proxy:
        return in_time(urllib3.ProxyManager(route.proxy, **options))
    return in_time(urllib3.PoolManager(**options))


def _context(route: Route) -> ssl.SSLContext:
    """Return what certificates are verified by, as strictly as kubectl does.

    Its files are read here, once: given to urllib3 they would be read into it again for
    each connection, and OpenSSL crashes where another thread shakes hands meanwhile.
    Python 3.13 refuses a certificate without an Authority Key Identifier, and some
    managed clusters have such ones (kubernetes-client/python issue 2394). Raises
    RolloutError where a file cannot be read.
    """
    context = create_urllib3_context()
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    try:
        if route.ca is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(cafile=route.ca)
        if route.certificate is not None:
            context.load_cert_chain(route.certificate, route.key)
    except OSError as error:
        files = ", ".join(filter(None, (route.ca, route.certificate, route.key)))
        told = f"{route.server}: its login's files: {files}: {error}"
        raise RolloutError(told) from error
    return context


def _shown(options: dict[str, Any], login: Login) -> dict[str, Any]:
    if not login.authorization:
        return options
    headers = {**(options.get("headers") or {}), "Authorization": login.authorization}
    return {**options, "headers": headers}
