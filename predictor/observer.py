"""ASGI middleware that counts every request, also those that never reach the model.

The promoter's own requests carry a header and are not counted.
"""

import asyncio
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from predictor import tracing
from predictor.log import logger
from predictor.model import TRAFFIC, IntentModel

MARK = TRAFFIC.encode()
INVOCATIONS = "/invocations"
LEFT = 499  # nobody reads this answer: the caller has left, or was cut


class Observed:
    """Counts and logs predictions, and holds the headers of each answer."""

    def __init__(self, model: IntentModel, *, log_requests: bool) -> None:
        """Put the model's source into `headers`."""
        self._metrics, self.source = model.metrics, model.source
        self._log_requests = log_requests
        self.headers = [
            (b"x-model-version", model.source.version.encode()),
            (b"x-revision", model.source.revision.encode()),
        ]

    def count(
        self, protocol: str, status: int, seconds: float, trace: str = ""
    ) -> None:
        """Count one user's request, and log it if requests are logged."""
        self._metrics.observe_request(protocol, str(status), seconds, trace)
        if self._log_requests:
            fields = {"protocol": protocol, "code": status, "ms": seconds * 1000}
            logger.info("request", extra={"fields": fields})


class Observer:
    """Counts every prediction request and adds the model's source to its answer."""

    def __init__(self, app: ASGIApp, observed: Observed) -> None:
        """Wrap `app`."""
        self._app, self._observed = app, observed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; add our headers to its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500
        tracing.describe(self._observed.source)

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    *self._observed.headers,
                    *(pair for pair in scope["headers"] if pair[0] == b"x-request-id"),
                ]
            await send(message)

        try:
            await self._app(scope, receive, named)
        except asyncio.CancelledError:
            status = LEFT
        finally:
            is_ours = any(name == MARK for name, _ in scope["headers"])
            protocol = protocol_of(scope["path"])
            if protocol is not None and not is_ours:
                seconds = time.perf_counter() - start
                trace_id = tracing.trace_id()
                self._observed.count(protocol, status, seconds, trace_id)


def protocol_of(path: str) -> str | None:
    """Return the protocol of a path that asks for predictions, else None."""
    if path.startswith("/v1/models/") and path.endswith(":predict"):
        return "v1"
    if path.startswith("/v2/models/") and path.endswith("/infer"):
        return "v2"
    return {"/predict": "predict", INVOCATIONS: "invocations"}.get(path)
