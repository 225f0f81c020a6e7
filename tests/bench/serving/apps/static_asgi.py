"""The floor of REST: uvicorn and an application that sends what it was given."""

import os
from pathlib import Path
from typing import Any

import uvicorn

HEADERS = ("content-type: application/json", "x-model-version: v1", "x-revision: local")
ANSWERS = {
    path: Path(file).read_bytes()
    for path, file in (each.split("=") for each in os.environ["ANSWERS"].split(","))
}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Read the body, send the path's answer."""
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                return
    await receive()
    body = ANSWERS[scope["path"]]
    headers = [tuple(line.encode().split(b": ")) for line in HEADERS]
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    port = int(os.environ["PORT"])
    uvicorn.run(app, port=port, log_config=None, access_log=False, loop="uvloop")
