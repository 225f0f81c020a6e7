"""Metrics pages over real HTTP."""

import threading

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

HANGS_S = 20.0


class Page:
    """A page of a server; it can be made to hang, and counts who asks."""

    def __init__(self, server: HTTPServer, name: str, text: str) -> None:
        """Serve `text` at /`name`/metrics."""
        self.url, self.text, self.asked = server.url_for(f"/{name}/metrics"), text, 0
        self.answers = threading.Event()
        self.answers.set()
        server.expect_request(f"/{name}/metrics").respond_with_handler(self._answer)

    def _answer(self, request: Request) -> Response:
        del request
        self.asked += 1
        self.answers.wait(HANGS_S)
        return Response(self.text)
