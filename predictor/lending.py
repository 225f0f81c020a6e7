"""Lends recorded requests to a promoter that has the token."""

import hmac
from typing import Any

from kserve.errors import InvalidInput
from starlette.requests import Request
from starlette.responses import Response

from predictor.answers import answered, error, json_answer
from predictor.protocol import parse_json
from predictor.recorder import Recorder, as_requests, as_texts

TOKEN = "x-recording-token"


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
        return await answered(request, self._lend)

    async def _lend(self, request: Request, body: bytes) -> Response:
        del request
        content = parse_json(body)
        share = content.get("share") if isinstance(content, dict) else None
        if not isinstance(share, int | float) or not 0 <= share <= 1:
            raise InvalidInput("share: expected a number from 0 to 1")
        lent = self._recorder.take(share)
        if isinstance(content, dict) and content.get("as") == "requests":
            return json_answer({**self._place, "requests": as_requests(lent)}, {})
        return json_answer({"texts": as_texts(lent)}, {})
