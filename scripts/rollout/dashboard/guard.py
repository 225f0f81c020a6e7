"""Who may ask the page's server: this machine's browser, with the printed token.

A page of another site reaches a server on loopback by the reader's browser: by a form,
by a script, by a name that it points to 127.0.0.1 (DNS rebinding), or in a frame. So
each request must name this server as its host, must not come from another origin, and
must carry the token in a header, which no other origin's page can set. No cookie is
kept: cookies are sent to every port of a host.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE = ("GET", "HEAD")
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Token:
    """The secret of one start of the server."""

    def __init__(self) -> None:
        """Draw it."""
        self.text = secrets.token_urlsafe(24)

    def is_in(self, headers: Headers) -> bool:
        """Return whether a request carries it."""
        given = headers.get("authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {self.text}".encode())

    def ticket(self, name: str, number: int) -> str:
        """Return what opens one rollout's report, and nothing else, as a link."""
        said = f"{number} {name}".encode()
        return hmac.new(self.text.encode(), said, hashlib.sha256).hexdigest()

    def opens(self, ticket: str, name: str, number: int) -> bool:
        """Return whether a link's ticket is that of this report."""
        return hmac.compare_digest(ticket.encode(), self.ticket(name, number).encode())


class Guard:
    """Answers 403 in the place of an app, and says in each answer what it may do."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str], token: Token) -> None:
        """Let requests to `hosts` pass to `app`, below /api/ those with the token."""
        self._app, self._hosts, self._token = app, frozenset(hosts), token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; there are no websockets."""
        if scope["type"] != "http":
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refused = self._refusal(scope["method"], scope["path"], Headers(scope=scope))
        app = PlainTextResponse(refused, 403) if refused else self._app
        await app(scope, receive, guarded)

    def _refusal(self, method: str, path: str, headers: Headers) -> str:
        """Return why a request is refused, "" if it is not."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if host not in self._hosts:
            expected = " or ".join(sorted(self._hosts))
            return f"Host: expected {expected}; forward the same port"
        if origin != f"http://{host}" and (origin or method not in SAFE):
            return f"Origin: expected http://{host}"
        if path.startswith("/api/") and not self._token.is_in(headers):
            return "no token, or an old one: open the address that dashboard printed"
        return ""
