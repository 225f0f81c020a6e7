"""`watch`: a rollout as it goes, or as it went, from its journal alone."""

import argparse
import time
from collections.abc import Iterator

from rich.console import Group
from rich.live import Live

from scripts import console
from scripts.rollout.cli import target
from scripts.rollout.errors import Exit
from scripts.rollout.journal.port import SharedJournal
from scripts.rollout.report import live, summary

POLL_S = 0.5  # sooner than a person sees, seldom enough for a cluster


def run(options: argparse.Namespace) -> Exit:
    """Until it has a verdict; a picture a decision where this is no terminal."""
    journal = target.journal(options)
    if console.out.is_terminal:
        with Live(console=console.out, auto_refresh=False) as terminal:
            for picture, _ in _pictures(journal):
                terminal.update(picture, refresh=True)
        return Exit.PROMOTED
    before: list[str] | None = None
    for picture, notes in _pictures(journal):
        if notes != before:
            console.out.print(picture, crop=False)
        before = notes
    return Exit.PROMOTED


def _pictures(journal: SharedJournal) -> Iterator[tuple[Group, list[str]]]:
    while True:
        saved = target.loaded(journal)
        notes = live.decisions(journal.tail())
        yield live.frame(summary.summary(target.policy(saved), saved), notes), notes
        if saved.state.verdict is not None:
            return
        time.sleep(POLL_S)
