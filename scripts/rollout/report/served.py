"""Serves a rollout's numbers to a Prometheus while its promoter runs.

The page answers with what was committed last, and never delays the loop. Whoever asks
is a stranger: a question is read to its end or for QUESTION_S, one after the other.
"""

import socketserver
import threading
from time import monotonic

from scripts.rollout.errors import RolloutError
from scripts.rollout.journal.saved import Saved
from scripts.rollout.policy.policy import Policy
from scripts.rollout.report import exposed

PATH = b"/metrics"
QUESTION_S, MOST_BYTES = 2.0, 8192
# The verdict is news that must be read: so long the end waits for one more reading, if
# there were readings before. A Prometheus reads once a minute or more often.
LAST_S = 65.0


class Served:
    """The page of one promoter, at an address of this machine."""

    def __init__(self, policy: Policy, address: str) -> None:
        """Listen at HOST:PORT. Raises RolloutError."""
        self._policy = policy
        self._saved: Saved | None = None
        self._lock = threading.Condition()
        self._read: Saved | None = None
        self._has_readers = False
        try:
            host, _, port = address.rpartition(":")
            self._server = _Server((host.strip("[]"), int(port)), _asked_of(self))
        except (OSError, ValueError, OverflowError) as error:
            said = getattr(error, "strerror", None) or "expected HOST:PORT or :PORT"
            raise RolloutError(f"--metrics: {address}: {said}") from error
        self.port = int(self._server.server_address[1])
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(0.1,), daemon=True).start()

    def __call__(self, saved: Saved) -> None:
        """Answer with this commit from now on."""
        with self._lock:
            self._saved = saved

    def page(self) -> str:
        """Return the page; empty before the first commit."""
        with self._lock:
            saved, self._has_readers = self._saved, True
        if saved is None:
            return ""
        is_running = saved.state.verdict is None
        found = str(exposed.page(self._policy, saved, is_running=is_running))
        with self._lock:
            self._read = saved
            self._lock.notify_all()
        return found

    def close(self, seconds: float = LAST_S) -> None:
        """Wait until a verdict was read, if anybody reads; then end."""
        with self._lock:
            is_news = self._saved is not None and self._saved.state.verdict is not None
            if self._has_readers and is_news:
                self._lock.wait_for(lambda: self._read is self._saved, seconds)
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.TCPServer):
    allow_reuse_address = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: who hangs up is no fault of a rollout."""


def _asked_of(served: Served) -> type[socketserver.BaseRequestHandler]:
    class Asked(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            line = self._first_line().split()
            body, status = b"", "404 Not Found"
            if line[:1] == [b"GET"] and line[1].partition(b"?")[0] == PATH:
                body, status = served.page().encode(), "200 OK"
            head = f"HTTP/1.1 {status}\r\nContent-Type: {exposed.CONTENT_TYPE}\r\n"
            ends = f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            self.request.sendall(f"{head}{ends}".encode() + body)

        def _first_line(self) -> bytes:
            until, found = monotonic() + QUESTION_S, b""
            while b"\r\n\r\n" not in found and len(found) < MOST_BYTES:
                self.request.settimeout(max(until - monotonic(), 0.001))
                part = self.request.recv(MOST_BYTES)
                if not part:
                    break
                found += part
            return found.partition(b"\r\n")[0]

    return Asked
