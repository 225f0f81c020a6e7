"""`status`: where a rollout is; with --wait, its verdict."""

import argparse
import time

from scripts.rollout.cli import target
from scripts.rollout.cli.output import emit
from scripts.rollout.errors import Exit
from scripts.rollout.journal.entries import so_far
from scripts.rollout.report import summary, tables

POLL_S = 0.2  # how late `--wait` notices a verdict


def run(options: argparse.Namespace) -> Exit:
    """One line of state, and why it ended where it has."""
    journal = target.journal(options)
    saved, deadline = target.loaded(journal), time.monotonic() + options.timeout
    while options.wait and saved.state.verdict is None and time.monotonic() < deadline:
        time.sleep(POLL_S)
        saved = target.loaded(journal)
    found = summary.summary(target.policy(saved), saved)
    emit(
        options,
        found,
        "\n".join(filter(None, [tables.headline(found), found["reason"]])),
    )
    if not options.wait:
        return Exit.PROMOTED
    verdict = saved.state.verdict
    return so_far(saved.state) if verdict is None else verdict
