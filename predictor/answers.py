"""The edge of the application: a body read within its limits, each fault an answer.

Every fault of a caller is answered with 4xx and `{"error": ...}`; it never drops the
connection.
"""

from http import HTTPStatus
from typing import Any

import orjson
from kserve.errors import InvalidInput, ModelNotFound
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from predictor.log import logger
from predictor.overload.limits import MAX_BODY, RETRY_S
from predictor.overload.work import BusyError

JSON = "application/json"
MAX_DRAINED = 16 * MAX_BODY
_ALLOW = {"allow": "POST"}
RETRY = {"retry-after": str(RETRY_S)}


def error(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """Return an error in the protocols' form."""
    content = orjson.dumps({"error": message})
    return Response(content, status, headers=headers, media_type=JSON)


def json_answer(content: Any, headers: dict[str, str]) -> Response:
    """Return content as JSON."""
    return Response(orjson.dumps(content), headers=headers, media_type=JSON)


def headers_of(request: Request) -> dict[str, str]:
    """Return a request's headers, the first of each name.

    `dict(request.headers)` looks each name up in the whole list.
    """
    pairs = reversed(request.scope["headers"])
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}


async def answered(request: Request, serve: Any) -> Response:
    """Serve a POST; every fault becomes an answer and keeps the connection."""
    if request.method != "POST":
        return error(405, f"method: expected POST, got {request.method}", _ALLOW)
    coding = request.headers.get("content-encoding", "identity")
    if coding.lower() != "identity":
        said = f"Content-Encoding: expected none, got {coding[:40]!r}"
        return error(415, f"{said}; send the JSON itself", {"accept-encoding": ""})
    try:
        return await serve(request, await _body(request))  # type: ignore[no-any-return]
    except InvalidInput as fault:
        return error(400, fault.reason)
    except ModelNotFound as fault:
        return error(404, fault.reason)
    except HTTPException as fault:
        return error(fault.status_code, fault.detail, dict(fault.headers or {}))
    except BusyError as fault:
        return error(503, str(fault), RETRY)
    except ClientDisconnect:
        return error(400, "body: the connection was closed before its end")
    except Exception:  # noqa: BLE001
        # The edge of the process: the SDK would answer 500 and then cut the
        # connection, failing the request that happens to come next on it.
        logger.exception("prediction failed")
        return error(500, "the model failed on this request")


async def _body(request: Request) -> bytes:
    """Return the body, or raise 413; a body that is too long is read but not kept."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= MAX_BODY:
            chunks.append(chunk)
        elif size > MAX_DRAINED:
            raise _too_large(size, {"connection": "close"})
        else:
            chunks.clear()
    if size > MAX_BODY:
        raise _too_large(size)
    return b"".join(chunks)


def _too_large(size: int, headers: dict[str, str] | None = None) -> HTTPException:
    return HTTPException(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"body: expected at most {MAX_BODY} bytes, got {size}",
        headers,
    )
