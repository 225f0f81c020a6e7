"""What the receiver of webhooks was told."""

from typing import Any

from pytest_httpserver import HTTPServer


def received(server: HTTPServer) -> list[Any]:
    """The messages that were answered 200, oldest first."""
    return [
        request.get_json()
        for request, answer in server.log
        if answer.status_code == 200
    ]
