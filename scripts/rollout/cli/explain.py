"""`explain`: why it waits, how many more requests, how long."""

import argparse

from scripts import console
from scripts.rollout.cli import target
from scripts.rollout.cli.output import emit
from scripts.rollout.errors import Exit
from scripts.rollout.report import summary, tables


def run(options: argparse.Namespace) -> Exit:
    """Both arms, the evidence either way, and what is missing."""
    saved = target.loaded(target.journal(options))
    found = summary.summary(target.policy(saved), saved)
    emit(options, found, tables.headline(found))
    if not options.output:
        console.table(tables.evidence(found))
        for row in found["metrics"]:
            size, source = row["phi"], row["phi_source"]
            print(f"{row['metric']}: outcomes in clusters of {size:.0f} ({source})")
        waits = [f"waits for: {each}" for each in found["waitingFor"]]
        print("\n".join(waits or [found["reason"]]))
    return Exit.PROMOTED
