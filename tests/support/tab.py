"""A tab of headless Chromium that stays open, driven by DevTools over two pipes."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from tests.support import browser, commands
from tests.support.waiting import until

ALONE = ("--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe")
EVIL = "evil.test"  # a name that was pointed to this machine
REBOUND = f"--host-resolver-rules=MAP {EVIL} 127.0.0.1"


class Tab:
    """One page; what its console and its policy complained of is in `complaints`."""

    def __init__(self, to: int, back: int) -> None:
        self._to, self._back, self._rest = to, back, b""
        self._numbers, self._session = count(1), ""
        self.complaints: list[str] = []
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self._ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._ask(f"{domain}.enable")

    def open(self, url: str, width: int = 1400, *, is_dark: bool = False) -> None:
        """Go to a page, at a width, light or dark."""
        size = {"width": width, "height": 1000, "deviceScaleFactor": 1}
        self._ask("Emulation.setDeviceMetricsOverride", **size, mobile=False)
        scheme = "dark" if is_dark else "light"
        wanted = {"name": "prefers-color-scheme", "value": scheme}
        self._ask("Emulation.setEmulatedMedia", features=[wanted])
        self._ask("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """What a script's last expression is, or what it promises."""
        options = {"returnByValue": True, "awaitPromise": True}
        found = self._ask("Runtime.evaluate", expression=script, **options)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, script: str) -> Any:
        """Wait until a script's value is true."""
        return until(lambda: self.run(script), shown=lambda: self.run(SAID))

    def key(self, name: str, code: int) -> None:
        """Press a key and release it."""
        pressed = {"key": name, "code": name, "windowsVirtualKeyCode": code}
        text = {"text": "\r"} if name == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self._ask("Input.dispatchKeyEvent", type=kind, **pressed, **text)

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        self._ask("Input.insertText", text=text)

    def picture(self, path: Path) -> None:
        """The whole page as a picture."""
        width, height = self.run(f"[{BOX}.width, {BOX}.height]")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        options = {"format": "webp", "quality": 50, "captureBeyondViewport": True}
        found = self._ask("Page.captureScreenshot", clip=clip, **options)
        path.write_bytes(base64.b64decode(found["data"]))

    def _ask(self, method: str, **params: Any) -> Any:
        number = next(self._numbers)
        asked: dict[str, Any] = {"id": number, "method": method, "params": params}
        if self._session:
            asked["sessionId"] = self._session
        os.write(self._to, json.dumps(asked).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            self._note(answer)

    def _read(self) -> Any:
        while b"\0" not in self._rest:
            read = os.read(self._back, 1 << 20)
            assert read, "Chromium has ended"
            self._rest += read
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def _note(self, event: Any) -> None:
        match event:
            case {"method": "Runtime.exceptionThrown", "params": params}:
                self.complaints.append(json.dumps(params["exceptionDetails"]))
            case {"method": "Log.entryAdded", "params": {"entry": entry}}:
                self.complaints.append(entry["text"])


SAID = "document.body.innerText"
BOX = "document.documentElement.getBoundingClientRect()"
# DevTools reads descriptor 3 and writes descriptor 4.
LAUNCH = """
import fcntl, os, sys
to, back = [fcntl.fcntl(int(each), fcntl.F_DUPFD, 10) for each in sys.argv[1:3]]
os.dup2(to, 3)
os.dup2(back, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


@contextmanager
def tab(folder: Path) -> Iterator[Tab]:
    """Chromium with a profile of its own below the folder, until the block ends."""
    (theirs, to), (back, ours) = os.pipe(), os.pipe()
    profile = f"--user-data-dir={folder / 'profile'}"
    command = [browser.program(), *ALONE, REBOUND, profile]
    launch = [sys.executable, "-c", LAUNCH, str(theirs), str(ours), *command]
    passed = (theirs, ours)
    process = subprocess.Popen(launch, pass_fds=passed, stderr=subprocess.DEVNULL)
    os.close(theirs)
    os.close(ours)
    try:
        yield Tab(to, back)
    finally:
        os.close(to)
        os.close(back)
        commands.end(process)
