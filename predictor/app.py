"""Routes that replace the SDK's own: strict input, bounded bodies, clear errors.

Metadata, health, metrics and gRPC stay the SDK's; what neither serves is 404.
"""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from kserve.errors import ModelNotFound
from kserve.protocol.dataplane import DataPlane
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from predictor.answers import JSON, answered, error, headers_of, json_answer
from predictor.lending import Lending
from predictor.model import JSON_LENGTH, PROTOCOL, IntentModel, is_cloud_event
from predictor.observer import Observed, Observer
from predictor.openapi import document
from predictor.overload.limits import MAX_BODY, SHORT_BODY
from predictor.protocol import (
    MAX_CHARACTERS,
    MAX_LETTERS,
    MAX_TEXTS,
    parse_json,
    plain_answer,
    texts_from_plain,
    texts_from_v1,
)
from predictor.protocol_v2_rest import v2_request
from predictor.recorder import Recorder

BINARY = "application/octet-stream"
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
        ("/v1/models/{name}:explain", routes.nothing),
        ("/v2/models/{name}/versions/{rest:path}", routes.nothing),
        ("/v2/models/{name}/infer", routes.infer_v2),
        ("/predict", routes.predict_plain),
        ("/v2/repository/models/{name}/load", routes.refuse),
        ("/v2/repository/models/{name}/unload", routes.refuse),
    ):
        app.router.routes.append(Route(path, endpoint, methods=METHODS))
    app.router.routes.append(Route("/v2/models/{name}", routes.metadata))
    app.router.routes.insert(0, Route("/openapi.json", routes.described))
    app.router.redirect_slashes = False
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
        return await answered(request, self._v1)

    async def infer_v2(self, request: Request) -> Response:
        """Answer a V2 request, JSON or with the binary extension."""
        return await answered(request, self._v2)

    async def predict_plain(self, request: Request) -> Response:
        """Answer the tutorial's `{"text": ...}`."""
        return await answered(request, self._plain)

    async def metadata(self, request: Request) -> Response:
        """Return V2 metadata, with version, digest, class order and limits besides."""
        name = self._known(request)
        outputs = self._model.get_output_types()
        outputs[-1]["parameters"] = {"labels": list(self._model.labels)}
        scorer = self._model.scorer
        return json_answer(
            {
                "name": name,
                "versions": [self._model.source.version],
                "platform": "scikit-learn",
                "inputs": self._model.get_input_types(),
                "outputs": outputs,
                "parameters": {
                    "sha256": self._model.sha256,
                    "answered_by": scorer.answered_by,
                    "microseconds_per_text": round(scorer.text_s * 1e6, 1),
                    "max_texts": MAX_TEXTS,
                    "max_characters_per_text": MAX_CHARACTERS,
                    "max_characters": MAX_LETTERS,
                    "max_body_bytes": MAX_BODY,
                },
            },
            {},
        )

    async def described(self, request: Request) -> Response:
        """Return the OpenAPI document."""
        del request
        model = self._model
        return json_answer(document(model.name, model.source.version, model.labels), {})

    async def refuse(self, request: Request) -> Response:
        """Refuse to load or unload a model."""
        del request
        return error(403, "this server's models are fixed: load and unload are off")

    async def nothing(self, request: Request) -> Response:
        """Answer as for a path that is not known."""
        del request
        raise HTTPException(HTTPStatus.NOT_FOUND)

    async def _v1(self, request: Request, body: bytes) -> Response:
        name, headers = self._known(request), headers_of(request)
        # The SDK takes a body for JSON only if the content type says just that.
        sent = headers.get("content-type", JSON)
        kind = sent if "cloudevents" in sent else JSON
        headers |= {"content-type": kind, PROTOCOL: "v1"}
        if is_cloud_event(headers):
            payload, attributes = self._dataplane.decode(body, headers)
        else:
            # Only the texts: whatever else was sent must not wait with them.
            content, attributes = await self._read(parse_json, body), {}
            payload = {"instances": texts_from_v1(content)}
            del content
        answer, extra = await self._dataplane.infer(name, payload, headers)
        answer, encoded = self._dataplane.encode(name, answer, headers, attributes)
        if isinstance(answer, bytes):
            return Response(answer, headers=extra | encoded)
        return json_answer(answer, extra | encoded)

    async def _v2(self, request: Request, body: bytes) -> Response:
        name, headers = self._known(request), headers_of(request)
        message = await self._read(v2_request, body, headers.get(JSON_LENGTH), name)
        answer, extra = await self._dataplane.infer(name, message, headers)
        content, json_length = answer.to_rest()
        if json_length is None:
            return json_answer(content, extra)
        extra |= {JSON_LENGTH: str(json_length), "content-type": BINARY}
        return Response(content, headers=extra)

    async def _plain(self, request: Request, body: bytes) -> Response:
        texts = texts_from_plain(await self._read(parse_json, body))
        answer, extra = await self._dataplane.infer(
            self._model.name,
            {"instances": texts},
            {**headers_of(request), PROTOCOL: "predict"},
        )
        return json_answer(plain_answer(answer), extra)

    async def _read(self, read: Any, body: bytes, *more: object) -> Any:
        """Read a body, a long one on the thread for long work."""
        if len(body) <= SHORT_BODY:
            return read(body, *more)
        return await self._model.work.read(body, read, *more)

    def _known(self, request: Request) -> str:
        name = str(request.path_params["name"])
        if name != self._model.name:
            raise ModelNotFound(name)
        return name


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
