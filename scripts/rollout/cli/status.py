"""`status`, `watch` and `explain`: show a rollout's state, progress and evidence."""

import sys
import time
from collections.abc import Iterator

from rich.console import Group
from rich.live import Live

from scripts import console
from scripts.rollout.cli.options import Common, Named, emit, find, policy_of
from scripts.rollout.errors import Exit, NoRollout, RolloutError
from scripts.rollout.journal.entries import exit_code_so_far
from scripts.rollout.journal.port import SharedJournal
from scripts.rollout.journal.saved import Saved
from scripts.rollout.report import live, summary, tables

POLL_S = 0.2  # the delay until `--wait` notices a verdict
WATCH_S = 0.5  # fast enough for a person, rare enough for a cluster
News = tuple[list[str], Exit | None]


def status(
    named: Named, is_waiting: bool, timeout_s: float | None, common: Common
) -> Exit:
    """Print the state and its reason; return the verdict if it was waited for."""
    journal, saved = find(named, common)
    deadline = time.monotonic() + (timeout_s or float("inf"))
    while is_waiting and saved.state.verdict is None and time.monotonic() < deadline:
        time.sleep(POLL_S)
        saved = _loaded(journal)
    found = summary.summary(policy_of(journal, saved), saved)
    lines = tables.headline(found), found["reason"]
    emit(common.output, found, "\n".join(filter(None, lines)))
    if not is_waiting:
        return Exit.PROMOTED
    verdict = saved.state.verdict
    return exit_code_so_far(saved.state) if verdict is None else verdict


def explain(named: Named, common: Common) -> Exit:
    """Print both arms, the evidence either way, and what a raise still waits for."""
    journal, saved = find(named, common)
    found = summary.summary(policy_of(journal, saved), saved)
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
        print("\n".join(waits or [found["reason"]]))
    return Exit.PROMOTED


def watch(named: Named, common: Common) -> Exit:
    """Show the rollout until its verdict; if piped, one picture per decision."""
    journal = _begun(named, common)
    if console.out.is_terminal:
        with Live(console=console.out, auto_refresh=False) as terminal:
            for picture, _ in _pictures(journal):
                terminal.update(picture, refresh=True)
        return Exit.PROMOTED
    before: News | None = None
    for picture, news in _pictures(journal):
        if news != before:
            console.out.print(picture, crop=False)
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


def _pictures(journal: SharedJournal) -> Iterator[tuple[Group, News]]:
    """Yield a picture and its news until the verdict.

    State and notes are read one after the other, so the last note may come with the
    state before it: the verdict is news by itself.
    """
    while True:
        saved = _loaded(journal)
        notes = live.decisions(journal.tail())
        picture = live.frame(summary.summary(policy_of(journal, saved), saved), notes)
        yield picture, (notes, saved.state.verdict)
        if saved.state.verdict is not None:
            return
        time.sleep(WATCH_S)


def _loaded(journal: SharedJournal) -> Saved:
    saved = journal.load()
    if saved is None:
        raise RolloutError(f"the rollout of {journal.name} in {journal} is gone")
    return saved
