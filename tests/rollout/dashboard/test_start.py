"""The verb: a process of its own, until ^C."""

import json
import signal
from pathlib import Path
from urllib.request import Request, urlopen

from tests.support.shown import Shown, started


def test_it_prints_an_address_that_opens_it_and_ends_with_its_page_open(
    tmp_path: Path,
) -> None:
    Shown(tmp_path, "intent").looks(2)
    process, printed = started("--local", "--dir", str(tmp_path))
    address, _, token = printed.partition("#")
    asked = Request(
        f"{address}api/events", headers={"Authorization": f"Bearer {token}"}
    )
    with urlopen(asked, timeout=60) as events:
        news = json.loads(events.readline().removeprefix(b"data: "))
        assert news["order"] == ["this machine/default.intent"]
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in said) == (130, False), said
