"""/ping and /invocations, and the headers that the service strips from a request."""

from http import HTTPStatus

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from predictor.answers import answered, error, headers_of, json_answer
from predictor.managed import forms
from predictor.model import IntentModel, is_of_users
from predictor.observer import INVOCATIONS, MARK
from predictor.openapi import document, managed
from predictor.overload.limits import SHORT_BODY
from predictor.protocol import MAX_ID
from predictor.recorder import Origin

MODEL_DIR = "/opt/ml/model"  # where the service unpacks a model
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
ATTRIBUTES = b"x-amzn-sagemaker-custom-attributes"
REQUEST_ID = b"x-request-id"
RESTORED = (MARK, REQUEST_ID)


def install(app: FastAPI, model: IntentModel) -> None:
    """Serve the contract's two paths, after `app.install`."""
    routes = Routes(model)
    app.router.routes.insert(0, Route("/openapi.json", routes.described))
    app.router.routes.append(Route("/ping", routes.ping, methods=["GET"]))
    app.router.routes.append(Route(INVOCATIONS, routes.invoke, methods=METHODS))
    # Added last it is outermost: what counts requests sees the restored headers.
    app.add_middleware(Attributes, model=model)


class Routes:
    """Serves one model."""

    def __init__(self, model: IntentModel) -> None:
        """Answer by `model`."""
        self._model = model

    async def described(self, request: Request) -> Response:
        """Return the OpenAPI document, with the contract's paths."""
        del request
        model = self._model
        found = document(model.name, model.source.version, model.labels)
        found["paths"] |= managed(model.labels)
        return json_answer(found, {})

    async def ping(self, request: Request) -> Response:
        """Say whether the model is ready; once the server ends, its guard says 503."""
        del request
        if not self._model.ready:
            return error(HTTPStatus.SERVICE_UNAVAILABLE, "the model is not ready")
        return Response()

    async def invoke(self, request: Request) -> Response:
        """Answer JSON, JSON Lines or CSV in that of them which is accepted."""
        return await answered(request, self._invoked)

    async def _invoked(self, request: Request, body: bytes) -> Response:
        headers = headers_of(request)
        form = _agreed(headers.get("content-type", ""), headers.get("accept", ""))[0]
        if len(body) <= SHORT_BODY:
            texts, sent = forms.texts_of(body, form)
        else:
            texts, sent = await self._model.work.read(body, forms.texts_of, form)
        # The agreement is on the type, and a plain text's is JSON as well.
        answer = forms.wanted(headers.get("accept", ""), sent)
        assert answer is not None
        origin = Origin(headers.get("x-request-id", ""), "v1")
        found = await self._model.classify(texts, origin, is_of_users(headers))
        return Response(forms.written(found, answer), media_type=forms.TYPES[answer])


def _agreed(content_type: str, accept: str) -> tuple[forms.Form, forms.Form]:
    """Return the forms of the body and of its answer. Raises 415, 406."""
    sent = forms.form_of(content_type)
    if sent is None:
        said = f"Content-Type: expected {forms.SERVED}, got {content_type[:80]!r}"
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, said)
    answer = forms.wanted(accept, sent)
    if answer is None:
        said = f"Accept: expected {forms.SERVED}, got {accept[:80]!r}"
        raise HTTPException(HTTPStatus.NOT_ACCEPTABLE, said)
    return sent, answer


class Attributes:
    """Puts headers back that came as custom attributes, and answers with some.

    The service passes on the types and this one header: `x-request-id=7` and
    `x-intent-traffic=warm-up` come in it, separated by a semicolon, and the model's
    version, its revision and the id go back in it.
    """

    def __init__(self, app: ASGIApp, model: IntentModel) -> None:
        """Wrap `app`, which answers by `model`."""
        self._app = app
        source = model.source
        self._own = f"version={source.version};revision={source.revision}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or scope["path"] != INVOCATIONS:
            await self._app(scope, receive, send)
            return
        headers = [*scope["headers"], *_restored(scope["headers"])]
        ids = [value for name, value in headers if name == REQUEST_ID][:1]
        told = b"".join([self._own, *(b";x-request-id=" + v[:MAX_ID] for v in ids)])

        async def attributed(message: Message) -> None:
            if message["type"] == "http.response.start":
                pairs = [*message.get("headers", ()), (ATTRIBUTES, told)]
                message = {**message, "headers": pairs}
            await send(message)

        await self._app({**scope, "headers": headers}, receive, attributed)


def _restored(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the headers that came as attributes and not by themselves."""
    there = {name for name, _ in headers}
    sent = b";".join(value for name, value in headers if name == ATTRIBUTES)
    pairs = (each.partition(b"=") for each in sent.replace(b",", b";").split(b";"))
    found = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return [(each, found[each]) for each in RESTORED if each in found.keys() - there]
