"""An HTTP server that no one here wrote for: it repeats what it is sent.

FAILING=N answers each Nth request with 500. It counts nothing.
"""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

FAILING = int(os.environ.get("FAILING", "0"))
NUMBERS = count(1)


class Echo(BaseHTTPRequestHandler):
    """Answers POST /echo; every other path is 404."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Send the body back."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        is_failing = FAILING and next(NUMBERS) % FAILING == 0
        code = 500 if is_failing else 200 if self.path == "/echo" else 404
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    ThreadingHTTPServer(("", 5000), Echo).serve_forever()
