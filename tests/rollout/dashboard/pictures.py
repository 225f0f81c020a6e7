"""The pictures of docs/dashboard: python -m tests.rollout.dashboard.pictures FOLDER."""

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from scripts.rollout.state.actions import Request
from tests.support.clicked import ALL_IN_SIGHT
from tests.support.shown import Shown, dashboard
from tests.support.tab import tab

PICTURES = {"wide": (1400, False), "dark": (1400, True), "narrow": (400, False)}


def take(state: Path, folder: Path) -> None:
    """Four rollouts: one ended well, one badly, one waits, one goes on."""
    Shown(state, "search", age_s=9000).looks(60)
    Shown(state, "spam", bad=0.1, age_s=4000).looks(60)
    waits = Shown(state, "sentiment", age_s=150, pauseAt="[25]").looks(8)
    waits.journal.ask(Request("pause", "a demo", "somebody@desk"))
    waits.looks(5)
    goes_on = Shown(state, "intent", bad=0.004, age_s=130).looks(10)
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as until_then:
        until_then.enter_context(waits.journal.lock())
        until_then.enter_context(goes_on.journal.lock())
        address = until_then.enter_context(dashboard(state))
        opened = until_then.enter_context(tab(state))
        for name, (width, is_dark) in PICTURES.items():
            opened.open(address, width, is_dark=is_dark)
            opened.until("document.querySelectorAll('article').length === 4")
            opened.run(ALL_IN_SIGHT)
            opened.run("document.querySelector('details').open = true")
            opened.picture(folder / f"{name}.webp")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        take(Path(made), Path(sys.argv[1]))
