"""Serves the page on this machine until it is ended."""

import socket

import uvicorn

from scripts.rollout.dashboard.app import Page, Steer, app
from scripts.rollout.dashboard.board import Board
from scripts.rollout.dashboard.guard import Guard, Token
from scripts.rollout.dashboard.sources import Machine, OnCluster, Source
from scripts.rollout.dashboard.steer import steering
from scripts.rollout.errors import Exit
from scripts.rollout.traffic.port import Place

LOOPBACK = "127.0.0.1"
GRACE_S = 1  # a page that is open keeps a connection for as long as it is


def dashboard(
    place: Place, places: list[bool], port: int, *, is_read_only: bool
) -> Exit:
    """Print the page's address with its token, and serve it until ^C.

    `places`: False for this machine, True for the context's cluster. Port 0: any.
    """
    with socket.create_server((LOOPBACK, port)) as listening:
        found = sources(place, places)
        steer = None if is_read_only else steering(place)
        served, address = server(found, steer, listening)
        print(address, flush=True)
        served.run(sockets=[listening])
    return Exit.PROMOTED


def sources(place: Place, places: list[bool]) -> list[Source]:
    """Return where rollouts are looked for. Raises RolloutError."""
    return [OnCluster(place) if on_cluster else Machine(place) for on_cluster in places]


def server(
    found: list[Source], steer: Steer | None, listening: socket.socket
) -> tuple[uvicorn.Server, str]:
    """Return a server for a socket, and the address that opens its page."""
    port, token = listening.getsockname()[1], Token()
    page = Page(Board(found), token, steer, lambda: served.should_exit)
    hosts = [f"{name}:{port}" for name in (LOOPBACK, "localhost")]
    config = uvicorn.Config(
        Guard(app(page), hosts, token),
        log_level="warning",
        lifespan="off",
        server_header=False,
        ws="none",
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    served = uvicorn.Server(config)
    return served, f"http://{LOOPBACK}:{port}/#{token.text}"
