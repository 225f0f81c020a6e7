"""Routes that replace the SDK's own: strict input, bounded bodies, clear errors.

Everything else (metadata, health, metrics, gRPC) stays the SDK's. Every fault of a
caller is answered with 4xx and `{"error": ...}`; it never drops the connection.
"""

import hmac
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from kserve.errors import InvalidInput, ModelNotFound
from kserve.protocol.dataplane import DataPlane
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from predictor.log import logger
from predictor.model import JSON_LENGTH, PROTOCOL, IntentModel, is_cloud_event
from predictor.observer import Observed, Observer
from predictor.protocol import parse_json, plain_answer, texts_from_plain
from predictor.protocol_v2_rest import v2_request
from predictor.recorder import Recorder, as_requests, as_texts

MAX_BODY = 4 * 1024 * 1024
MAX_DRAINED = 16 * MAX_BODY
TOKEN = "x-recording-token"
JSON, BINARY = "application/json", "application/octet-stream"
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


def install(
    app: FastAPI,
    dataplane: DataPlane,
    model: IntentModel,
    observed: Observed,
    recording_token: str = "",
    grpc_port: int | None = None,
) -> None:
    """Register routes, error handlers and the observer, before `ModelServer.start`.

    With a token, a caller that sends it may borrow a sample of the requests;
    `grpc_port` tells it where gRPC is served, None where it is not.
    """
    routes = Routes(dataplane, model)
    if recording_token:
        model.recorder = Recorder()
        place = {"model": model.name, "grpcPort": grpc_port}
        lending = Lending(model.recorder, recording_token, place)
        app.router.routes.append(Route("/shadow/texts", lending.lend, methods=METHODS))
    for path, endpoint in (
        ("/v1/models/{name}:predict", routes.predict_v1),
        ("/v2/models/{name}/infer", routes.infer_v2),
        ("/predict", routes.predict_plain),
        ("/v2/repository/models/{name}/load", routes.refuse),
        ("/v2/repository/models/{name}/unload", routes.refuse),
    ):
        app.router.routes.append(Route(path, endpoint, methods=METHODS))
    app.router.routes.append(Route("/v2/models/{name}", routes.metadata))
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_middleware(Observer, observed=observed)


class Routes:
    """Serves the three prediction paths through the SDK's data plane."""

    def __init__(self, dataplane: DataPlane, model: IntentModel) -> None:
        """Serve `model`, which /predict does not name."""
        self._dataplane = dataplane
        self._model = model

    async def predict_v1(self, request: Request) -> Response:
        """Answer a V1 request, CloudEvents included."""
        return await _answered(request, self._v1)

    async def infer_v2(self, request: Request) -> Response:
        """Answer a V2 request, JSON or with the binary extension."""
        return await _answered(request, self._v2)

    async def predict_plain(self, request: Request) -> Response:
        """Answer the tutorial's `{"text": ...}`."""
        return await _answered(request, self._plain)

    async def metadata(self, request: Request) -> Response:
        """Return V2 metadata, with version, platform and class order besides."""
        name = request.path_params["name"]
        if name != self._model.name:
            return error(404, ModelNotFound(name).reason)
        outputs = self._model.get_output_types()
        outputs[-1]["parameters"] = {"labels": list(self._model.labels)}
        scorer = self._model.scorer
        return _json(
            {
                "name": name,
                "versions": [self._model.source.version],
                "platform": "scikit-learn",
                "inputs": self._model.get_input_types(),
                "outputs": outputs,
                "parameters": {
                    "answered_by": scorer.answered_by,
                    "microseconds_per_text": round(scorer.text_s * 1e6, 1),
                },
            },
            {},
        )

    async def refuse(self, request: Request) -> Response:
        """Refuse to load or unload a model."""
        del request
        return error(403, "this server's models are fixed: load and unload are off")

    async def _v1(self, request: Request, body: bytes) -> Response:
        # The SDK takes a body for JSON only if the content type says just that.
        sent = request.headers.get("content-type", JSON)
        kind = sent if "cloudevents" in sent else JSON
        headers = {**request.headers, "content-type": kind, PROTOCOL: "v1"}
        name = request.path_params["name"]
        is_event = is_cloud_event(headers)
        if is_event:
            payload, attributes = self._dataplane.decode(body, headers)
        else:
            payload, attributes = parse_json(body), {}
        answer, extra = await self._dataplane.infer(name, payload, headers)
        answer, encoded = self._dataplane.encode(name, answer, headers, attributes)
        if isinstance(answer, bytes):
            return Response(answer, headers=extra | encoded)
        return _json(answer, extra | encoded)

    async def _v2(self, request: Request, body: bytes) -> Response:
        name = request.path_params["name"]
        message = v2_request(body, request.headers.get(JSON_LENGTH), name)
        answer, extra = await self._dataplane.infer(
            name, message, dict(request.headers)
        )
        content, json_length = answer.to_rest()
        if json_length is None:
            return _json(content, extra)
        extra |= {JSON_LENGTH: str(json_length), "content-type": BINARY}
        return Response(content, headers=extra)

    async def _plain(self, request: Request, body: bytes) -> Response:
        texts = texts_from_plain(parse_json(body))
        answer, extra = await self._dataplane.infer(
            self._model.name,
            {"instances": texts},
            {**request.headers, PROTOCOL: "predict"},
        )
        return _json(plain_answer(answer), extra)


class Lending:
    """Lends recorded requests to callers with the token."""

    def __init__(self, recorder: Recorder, token: str, place: dict[str, Any]) -> None:
        """Lend to callers that send `token`; `place` says where requests are asked."""
        self._recorder, self._expected = recorder, token.encode()
        self._place = place

    async def lend(self, request: Request) -> Response:
        """Answer `{"share": 0.1, "as": "requests"}`; without "as", the texts alone."""
        given = request.headers.get(TOKEN, "").encode()
        if not hmac.compare_digest(given, self._expected):
            return error(403, f"{TOKEN}: expected the recording token")
        return await _answered(request, self._lend)

    async def _lend(self, request: Request, body: bytes) -> Response:
        del request
        content = parse_json(body)
        share = content.get("share") if isinstance(content, dict) else None
        if not isinstance(share, int | float) or not 0 <= share <= 1:
            raise InvalidInput("share: expected a number from 0 to 1")
        lent = self._recorder.take(share)
        if isinstance(content, dict) and content.get("as") == "requests":
            return _json({**self._place, "requests": as_requests(lent)}, {})
        return _json({"texts": as_texts(lent)}, {})


def error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """Return an error in the protocols' form."""
    content = orjson.dumps({"error": message})
    return Response(content, status, headers=headers, media_type=JSON)


async def _answered(request: Request, serve: Any) -> Response:
    """Serve a POST; every fault becomes an answer and keeps the connection."""
    if request.method != "POST":
        return error(405, f"method: expected POST, got {request.method}", _ALLOW)
    try:
        body = await _body(request)
        return await serve(request, body)  # type: ignore[no-any-return]
    except InvalidInput as fault:
        return error(400, fault.reason)
    except ModelNotFound as fault:
        return error(404, fault.reason)
    except HTTPException as fault:
        return error(fault.status_code, fault.detail, dict(fault.headers or {}))
    except ClientDisconnect:
        return error(400, "body: the connection was closed before its end")
    except Exception:  # noqa: BLE001
        # The edge of the process: the SDK would answer 500 and then cut the
        # connection, failing the request that happens to come next on it.
        logger.exception("prediction failed")
        return error(500, "the model failed on this request")


_ALLOW = {"allow": "POST"}


async def _body(request: Request) -> bytes:
    """Return the body, or raise 413; a body that is too long is read but not kept."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= MAX_BODY:
            chunks.append(chunk)
        elif size > MAX_DRAINED:
            raise _too_large(size, {"connection": "close"})
    if size > MAX_BODY:
        raise _too_large(size)
    return b"".join(chunks)


def _too_large(size: int, headers: dict[str, str] | None = None) -> HTTPException:
    return HTTPException(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"body: expected at most {MAX_BODY} bytes, got {size}",
        headers,
    )


def _json(content: Any, headers: dict[str, str]) -> Response:
    return Response(orjson.dumps(content), headers=headers, media_type=JSON)


async def _http_error(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, HTTPException)
    message = fault.detail
    if fault.status_code == HTTPStatus.NOT_FOUND:
        message = f"path: nothing is served at {request.url.path[:80]}"
    return error(fault.status_code, message, dict(fault.headers or {}))


async def _validation_error(request: Request, fault: Exception) -> Response:
    del request
    assert isinstance(fault, RequestValidationError)
    first = fault.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return error(400, f"{place}: {first['msg']}")
