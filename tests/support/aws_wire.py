"""Speaks AWS's protocols for the stand-in: what boto3 sends, and what it can read.

JSON with the operation in a header, and REST for the runtime.
"""

import json
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.sagemaker import RefusedError, Service

JSON = {"content-type": "application/x-amz-json-1.1"}
SENT = {
    "ContentType": "Content-Type",
    "Accept": "Accept",
    "CustomAttributes": "X-Amzn-SageMaker-Custom-Attributes",
    "TargetVariant": "X-Amzn-SageMaker-Target-Variant",
}
TOLD = {
    "ContentType": "Content-Type",
    "InvokedProductionVariant": "x-Amzn-Invoked-Production-Variant",
    "CustomAttributes": "X-Amzn-SageMaker-Custom-Attributes",
}


class Handler(BaseHTTPRequestHandler):
    """One request to AWS."""

    protocol_version = "HTTP/1.1"
    service: Service

    def do_POST(self) -> None:
        """Answer by the protocol that the request is in."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        target = self.headers.get("x-amz-target", "")
        invoked = re.fullmatch(r"/endpoints/([^/]+)/invocations", self.path)
        if invoked is not None:
            names = {k: v for k, v in SENT.items() if self.headers.get(v)}
            sent = {key: self.headers[name] for key, name in names.items()}
            sent |= {"EndpointName": invoked[1]}
            self._send(
                *_as_rest(self._asked("invoke_endpoint", {**sent, "Body": body}))
            )
        else:
            parameters = {k: _read(k, v) for k, v in json.loads(body).items()}
            operation = _snake(target.partition(".")[2])
            self._send(*_as_json(self._asked(operation, parameters)))

    def _asked(
        self, operation: str, parameters: dict[str, Any]
    ) -> dict[str, Any] | RefusedError:
        try:
            return self.service(operation, **parameters)
        except RefusedError as error:
            return error

    def _send(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """A thread a connection; callers may leave, as a killed promoter does."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print a fault of ours alone."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


Answer = tuple[int, dict[str, str], bytes]


def _as_json(found: dict[str, Any] | RefusedError) -> Answer:
    if isinstance(found, RefusedError):
        content = {"__type": found.code, "message": found.message}
        return found.status, JSON, json.dumps(content).encode()
    return 200, JSON, json.dumps(found, default=datetime.timestamp).encode()


def _as_rest(found: dict[str, Any] | RefusedError) -> Answer:
    if isinstance(found, RefusedError):
        content = {"Message": found.message, **found.more}
        headers = {"x-amzn-errortype": found.code, "content-type": "application/json"}
        return found.status, headers, json.dumps(content).encode()
    return 200, {TOLD[key]: found[key] for key in TOLD}, found["Body"]


def _read(name: str, value: Any) -> Any:
    """Read a parameter: a time is a number of seconds."""
    return datetime.fromtimestamp(value, UTC) if name.endswith("Time") else value


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


@contextmanager
def served(service: Service) -> Iterator[str]:
    """Serve the stand-in until the block ends; its address."""
    handler = type("Bound", (Handler,), {"service": service})
    server = Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
