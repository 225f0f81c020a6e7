"""`status`, `watch` and `explain`: show a rollout's state, progress and evidence."""

import sys
import time
from collections.abc import Iterator
from typing import Any

from rich.live import Live

from scripts import console
from scripts.rollout.cli.options import Common, Named, emit, find
from scripts.rollout.errors import Exit, NoRollout, RolloutError
from scripts.rollout.journal.entries import exit_code_so_far
from scripts.rollout.journal.port import SharedJournal
from scripts.rollout.journal.saved import Saved
from scripts.rollout.report import live, tables
from scripts.rollout.steering import seen, unsent

POLL_S = 0.2  # the delay until `--wait` notices a verdict
LEFT_S = 120.0  # a Job's pod that was killed is back before that
WATCH_S = 0.5  # fast enough for a person, rare enough for a cluster
News = tuple[list[str], Exit | None, bool]


def status(
    named: Named, is_waiting: bool, timeout_s: float | None, common: Common
) -> Exit:
    """Print the state and its reason; return the verdict if it was waited for."""
    journal, saved = find(named, common)
    unsent.send(journal)
    deadline = time.monotonic() + (timeout_s or float("inf"))
    while is_waiting and saved.state.verdict is None and time.monotonic() < deadline:
        if _is_left(journal, saved):
            break
        time.sleep(POLL_S)
        saved = _loaded(journal)
    found = seen.found(journal, saved)
    lines = tables.headline(found), found["reason"], tables.idle(found)
    emit(common.output, found, "\n".join(filter(None, lines)))
    if not is_waiting:
        return Exit.PROMOTED
    verdict = saved.state.verdict
    return exit_code_so_far(saved.state) if verdict is None else verdict


def explain(named: Named, common: Common) -> Exit:
    """Print both arms, the evidence either way, and what a raise still waits for."""
    journal, saved = find(named, common)
    unsent.send(journal)
    found = seen.found(journal, saved)
    emit(common.output, found, tables.headline(found))
    if not common.output:
        if found["metrics"]:
            console.table(tables.arms(found))
            console.table(tables.evidence(found))
        for row in found["metrics"]:
            size, source = row["phi"], row["phi_source"]
            print(f"{row['metric']}: outcomes in clusters of {size:.3g} ({source})")
        print("".join(f"{each}\n" for each in found["doubts"]), end="")
        for each in found["conditions"]:
            if each["name"] != "clusters":
                print(each["said"])
        waits = [f"waits for: {each}" for each in found["waitingFor"]]
        idle = [tables.idle(found)] if found["idleSeconds"] is not None else []
        print("\n".join([*idle, *(waits or [found["reason"]])]))
    return Exit.PROMOTED


def watch(named: Named, common: Common) -> Exit:
    """Show the rollout until its verdict; if piped, one picture per decision."""
    journal = _begun(named, common)
    unsent.send(journal)
    if console.out.is_terminal:
        with Live(console=console.out, auto_refresh=False) as terminal:
            for found, news in _looks(journal):
                picture = live.frame(found, news[0], console.out.size)
                terminal.update(picture, refresh=True)
        return Exit.PROMOTED
    before: News | None = None
    for found, news in _looks(journal):
        if news != before:
            console.out.print(live.frame(found, news[0]), crop=False)
        before = news
    return Exit.PROMOTED


def _begun(named: Named, common: Common) -> SharedJournal:
    """Return the rollout's journal; wait for `run` to begin it."""
    told = ""
    while True:
        try:
            return find(named, common)[0]
        except NoRollout as error:
            if str(error) != told:
                print(f"waiting for run, until ^C: {error}", file=sys.stderr)
            told = str(error)
        time.sleep(WATCH_S)


def _looks(journal: SharedJournal) -> Iterator[tuple[dict[str, Any], News]]:
    """Yield a summary and its news until the verdict, or until nobody is at work.

    State and notes are read one after the other, so the last note may come with the
    state before it: the verdict is news by itself.
    """
    while True:
        saved = _loaded(journal)
        notes = live.decisions(journal.tail())
        found = seen.found(journal, saved)
        is_left = (found["idleSeconds"] or 0.0) > LEFT_S
        is_idle = found["idleSeconds"] is not None
        yield found, (notes, saved.state.verdict, is_idle)
        if saved.state.verdict is not None or is_left:
            return
        time.sleep(WATCH_S)


def _is_left(journal: SharedJournal, saved: Saved) -> bool:
    """Return whether nobody has been at work for so long that nobody will be."""
    is_old = time.time() - saved.state.now > LEFT_S
    return is_old and not seen.is_at_work(journal, saved)


def _loaded(journal: SharedJournal) -> Saved:
    saved = journal.load()
    if saved is None:
        raise RolloutError(f"the rollout of {journal.name} in {journal} is gone")
    return saved
