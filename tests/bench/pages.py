"""Metrics pages for a bench, each on a port of its own.

By hand: a WSGI server as in the tests costs more than the scrape that is measured.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Page(ThreadingHTTPServer):
    """Answers every path with one text."""

    daemon_threads = True

    def __init__(self, text: str) -> None:
        """On a free port."""
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = text.encode()
        self.url = f"http://127.0.0.1:{self.server_port}/metrics"


class Handler(BaseHTTPRequestHandler):
    """One page a connection."""

    server: Page

    def do_GET(self) -> None:
        """Answer with the page."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.content)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def served(text: str) -> Iterator[Page]:
    """A page until the block ends."""
    with Page(text) as page:
        thread = threading.Thread(target=page.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield page
        finally:
            page.shutdown()
            thread.join()
