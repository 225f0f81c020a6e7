"""The page's routes: the page, its events, a report, and people's requests."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from importlib import resources
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from scripts.rollout.dashboard.board import Board, Shelf
from scripts.rollout.dashboard.guard import Token
from scripts.rollout.dashboard.watched import Watched
from scripts.rollout.errors import RolloutError
from scripts.rollout.report.page import page, script_hashes

CHECK_S = 0.25  # the delay until what was read is sent
FIRST_S = 3.0  # a cluster that does not answer keeps nobody from seeing the rest
ALIVE_S = 15.0  # a comment is sent after this long, or a dead reader stays unnoticed
LONGEST = 4096  # bytes of a request's body: a reason is a sentence
ASSETS = {
    "/": ("index.html", "text/html"),
    "/app.css": ("app.css", "text/css"),
    "/app.js": ("app.js", "text/javascript"),
    "/card.js": ("card.js", "text/javascript"),
}
Steer = Callable[[Watched, str, str], str]


@dataclass(frozen=True, slots=True)
class Page:
    """What the routes share.

    `steer` is None where the page may only be read. `is_ending` says when the server
    waits for open pages to go.
    """

    board: Board
    token: Token
    steer: Steer | None
    is_ending: Callable[[], bool]


def app(shared: Page) -> Starlette:
    """Return the routes. Only POST changes anything."""
    reading = Reading(shared)

    async def ask(request: Request) -> Response:
        return await _ask(shared, request)

    async def events(_: Request) -> Response:
        return StreamingResponse(reading.events(), media_type="text/event-stream")

    async def report(request: Request) -> Response:
        return await run_in_threadpool(_report, shared, request)

    return Starlette(
        routes=[
            *(Route(path, _asset(*file)) for path, file in ASSETS.items()),
            Route("/api/events", events),
            Route("/api/ask", ask, methods=["POST"]),
            Route("/report", report),
        ]
    )


class Reading:
    """Reads each shelf of the board while somebody looks at the page, once for all."""

    def __init__(self, shared: Page) -> None:
        """Nobody looks yet."""
        self._shared = shared
        self._reads: dict[Shelf, tuple[float, asyncio.Task[None]]] = {}

    async def events(self) -> AsyncIterator[str]:
        """Yield what has changed, as server-sent events, until the server ends."""
        version, sent = -1, 0.0
        self._look()
        # Whoever opens the page sees the rollouts first, not that there are none.
        await asyncio.wait([task for _, task in self._reads.values()], timeout=FIRST_S)
        while not self._shared.is_ending():
            self._look()
            news = self._shared.board.since(version)
            if news is not None:
                version = news["version"]
                yield f"data: {json.dumps(self._linked(news))}\n\n"
                sent = time.monotonic()
            elif time.monotonic() - sent > ALIVE_S:
                yield ": nothing new\n\n"
                sent = time.monotonic()
            await asyncio.sleep(CHECK_S)

    def _look(self) -> None:
        """Begin to read what is due; raise what a read has failed with."""
        board, now = self._shared.board, time.monotonic()
        for shelf in board.shelves:
            began, task = self._reads.get(shelf, (0.0, None))
            if task is not None and task.done():
                task.result()
            is_due = now - began >= shelf.source.every_s
            if task is None or (task.done() and is_due):
                read = asyncio.create_task(run_in_threadpool(board.refresh, shelf))
                self._reads[shelf] = now, read

    def _linked(self, news: dict[str, Any]) -> dict[str, Any]:
        """Return it with the reports' addresses."""
        found = {
            name: {**each, "report": self._link(name, -1)}
            for name, each in news["cards"].items()
        }
        ended = news["ended"] and [
            {**row, "report": self._link(row["id"], row["number"])}
            for row in news["ended"]
        ]
        may_ask = self._shared.steer is not None
        return {**news, "cards": found, "ended": ended, "mayAsk": may_ask}

    def _link(self, name: str, number: int) -> str:
        ticket = self._shared.token.ticket(name, number)
        return "/report?" + urlencode({"id": name, "n": number, "ticket": ticket})


async def _ask(shared: Page, request: Request) -> Response:
    """Carry a person's request out as its verb would, and answer what came of it."""
    if shared.steer is None:
        return JSONResponse({"said": "started with --read-only"}, 403)
    try:
        body = json.loads((await request.body())[: LONGEST + 1])
        asked = [str(body[name]) for name in ("id", "verb", "reason")]
    except (ValueError, KeyError, TypeError):
        expected = f"expected JSON of id, verb and reason, at most {LONGEST} bytes"
        return JSONResponse({"said": expected}, 400)
    name, verb, reason = asked
    try:
        watched = shared.board.known(name)
        said = await run_in_threadpool(shared.steer, watched, verb, reason)
    except RolloutError as error:
        return JSONResponse({"said": f"{verb}: {error}"}, 409)
    return JSONResponse({"said": said})


def _report(shared: Page, request: Request) -> Response:
    """Return a rollout's report; a page of its own origin, whatever runs in it."""
    query = request.query_params
    name, number = query.get("id", ""), query.get("n", "")
    is_number = number.removeprefix("-").isdecimal()
    if not is_number or not shared.token.opens(
        query.get("ticket", ""), name, int(number)
    ):
        return PlainTextResponse("open reports from the page", 403)
    try:
        html = page(shared.board.story(name, int(number)))
    except RolloutError as error:
        return PlainTextResponse(str(error), 404)
    scripts = " ".join(f"'sha256-{each}'" for each in script_hashes())
    policy = (
        f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "sandbox allow-scripts"
    )
    return HTMLResponse(html, headers={"Content-Security-Policy": policy})


def _asset(name: str, kind: str) -> Callable[[Request], Response]:
    file = resources.files("scripts.rollout.dashboard") / "assets" / name
    content = file.read_text("utf-8")

    def answer(_: Request) -> Response:
        return Response(content, media_type=kind)

    return answer
