"""The hot path: a whole HTTP response directly from a request's head and body.

It serves what most callers send, a POST of plain JSON to one of the three prediction
paths. All other requests (options, CloudEvents, binary tensors, long batches, faults)
go to the SDK's application. Both read, classify and write by the same functions, and
`protocol.check_texts` limits the texts of both. It knows nothing of sockets.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson
from kserve.errors import InvalidInput

from predictor.model import IntentModel
from predictor.observer import MARK, Observed
from predictor.overload.limits import RETRY_S
from predictor.overload.work import BusyError
from predictor.protocol import (
    Predictions,
    plain_answer,
    texts_from_plain,
    texts_from_v1,
    v1_answer,
    v1_json,
)
from predictor.protocol_v2 import new_id
from predictor.protocol_v2_rest import plain_v2_answer, texts_from_plain_v2
from predictor.recorder import Origin, Protocol
from predictor.tracing import TRACEPARENT, is_sampled

JSON, REQUEST_ID = b"application/json", b"x-request-id"
CONTENT_TYPE = b"content-type"
OPTIONS = frozenset(
    (b"ce-specversion", b"content-encoding", b"inference-header-content-length")
)
IS_JSON = frozenset((JSON, b"application/json; charset=utf-8"))
READ = OPTIONS | {CONTENT_TYPE, REQUEST_ID, MARK}
Headers = Sequence[tuple[bytes, bytes]]


class Heads(NamedTuple):
    """The part of a request's headers that is read: ids, and whether a user sent it."""

    request_ids: list[tuple[bytes, bytes]]
    is_of_users: bool


class Route(NamedTuple):
    """One prediction path: how texts are read from JSON and answers written to it.

    `texts` returns None for a body with options; `write` takes the predictions and the
    body's id, and returns JSON.
    """

    protocol: Protocol
    texts: Callable[[Any], list[str] | None]
    write: Callable[[Predictions, str], bytes]


class Asked(NamedTuple):
    """A request's route, headers, and arrival time by `time.perf_counter`."""

    route: Route
    headers: Headers
    began: float


class HotPath:
    """Answers plain requests with a whole HTTP response, any other with None."""

    def __init__(
        self, model: IntentModel, observed: Observed, *, traces: bool = False
    ) -> None:
        """Answer for `model`; with `traces`, no request that arrives sampled."""
        self._model, self._observed = model, observed
        self._read = READ | {TRACEPARENT} if traces else READ
        self._defaults: Headers = ()
        self._start = b""
        own = [(CONTENT_TYPE, JSON), *observed.headers]
        self._end = b"\r\n" + b"".join(map(_line, own))
        source = model.source
        self.routes: dict[bytes, Route] = {}
        if not model.scorer.is_compiled:
            return
        self.routes = {
            b"/v1/models/%s:predict" % model.name.encode(): Route(
                "v1", texts_from_v1, lambda found, _: v1_json(found)
            ),
            b"/v2/models/%s/infer" % model.name.encode(): Route(
                "v2",
                texts_from_plain_v2,
                lambda found, name: orjson.dumps(
                    plain_v2_answer(name or new_id(), found, source)
                ),
            ),
            b"/predict": Route(
                "predict",
                texts_from_plain,
                lambda found, _: orjson.dumps(plain_answer(v1_answer(found))),
            ),
        }

    def response(self, asked: Asked, body: bytes, defaults: Headers) -> bytes | None:
        """Return the whole answer, or None; `defaults` are the server's headers."""
        route, heads = asked.route, _heads(asked.headers, self._read)
        if heads is None or not self._model.ready:
            return None
        why = self.refusal(body)
        if why is not None and self._model.recorder is None:
            return self._refused(asked, heads, why)
        try:
            payload = orjson.loads(body)
            texts = route.texts(payload)
        except (orjson.JSONDecodeError, InvalidInput):
            return None
        if texts is None:
            return None
        ids, is_of_users = heads
        if not self._model.scorer.is_short(texts):
            why = self._model.work.refusal(texts)
            if why is None:
                self._model.work.expect(texts)
                return None
            name = _name(route, payload, ids)
            self._model.record(texts, Origin(name, route.protocol), is_of_users)
            return self._refused(asked, heads, why)
        name = _name(route, payload, ids)
        found = self._model.classify_now(texts, is_of_users)
        # A request that fails here is met again by the application, which records it.
        self._model.record(texts, Origin(name, route.protocol), is_of_users)
        content = route.write(found, name)
        if defaults is not self._defaults:
            lines = b"".join(map(_line, defaults))
            self._start = b"HTTP/1.1 200 OK\r\n" + lines + b"content-length: "
            self._defaults = defaults
        if is_of_users:
            seconds = time.perf_counter() - asked.began
            self._observed.count(route.protocol, 200, seconds)
        length, more = b"%d" % len(content), map(_line, ids)
        return b"".join([self._start, length, self._end, *more, b"\r\n", content])

    def refusal(self, body: bytes) -> BusyError | None:
        """Return why a body is too long for the work that waits, as it looks."""
        return self._model.work.refusal_of_body(body)

    def is_nearly_full(self, letters: int) -> bool:
        """Return whether so much waits or comes that no long body should be read."""
        return self._model.work.is_nearly_full(letters)

    def _refused(self, asked: Asked, heads: Heads, why: BusyError) -> bytes:
        """Return 503 for long work that could not even wait."""
        if heads.is_of_users:
            seconds = time.perf_counter() - asked.began
            self._observed.count(asked.route.protocol, 503, seconds)
        content = orjson.dumps({"error": str(why)})
        start = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: %d\r\n" % RETRY_S
        length, more = b"content-length: %d" % len(content), map(_line, heads[0])
        return b"".join([start, length, self._end, *more, b"\r\n", content])


def _line(header: tuple[bytes, bytes]) -> bytes:
    return b"%s: %s\r\n" % header


def _name(route: Route, payload: Any, ids: Headers) -> str:
    """Return the id for the answer and for the recorded request."""
    if route.protocol == "v2":
        return str(payload.get("id") or "")
    return ids[0][1].decode("latin-1") if ids else ""


def _heads(headers: Headers, read: frozenset[bytes]) -> Heads | None:
    """Return the headers' content, None where they ask for more than plain JSON."""
    request_ids, is_of_users = [], True
    for pair in headers:
        name, value = pair
        if name not in read:
            continue
        if name == REQUEST_ID:
            request_ids.append(pair)
        elif name == MARK:
            is_of_users = False
        elif name == TRACEPARENT:
            if is_sampled(value):
                return None
        elif name in OPTIONS or value not in IS_JSON:
            return None
    return Heads(request_ids, is_of_users)
