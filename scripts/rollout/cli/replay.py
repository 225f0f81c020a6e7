"""`replay`: decide again from a journal, or from counters as CSV."""

import argparse
from typing import Any

from scripts.rollout import text
from scripts.rollout.cli.output import emit, lines_of
from scripts.rollout.errors import Exit, RolloutError
from scripts.rollout.journal import chain, replay
from scripts.rollout.policy import reader


def run(options: argparse.Namespace) -> Exit:
    """Print each decision; end with the exit code that the run would have had."""
    policy = reader.read(options.policy) if options.policy else None
    lines = lines_of(options.file)
    entries = [line for line in lines if line.startswith(chain.HEAD)]
    if entries:
        found = replay.journal(entries, policy)
    elif policy is None:
        raise RolloutError("counters as CSV need --policy FILE")
    else:
        found = replay.counts(lines, policy)
    for at, note in found.notes:
        emit(options, {"time": at, "note": note}, f"{at:.1f} {note}")
    code = Exit.PROMOTED if found.code is None else found.code
    ended: dict[str, Any] = {"verdict": code.name, "exitCode": int(code)}
    said = text.verdict(code)
    if found.code is None:
        ended, said = {}, "no rollout begins here, so nothing was decided again"
    if found.lines[1]:
        ended["verifiedLines"] = list(found.lines)
        said += f"; lines {found.lines[0]} to {found.lines[1]} verified"
    emit(options, ended, said)
    return code
