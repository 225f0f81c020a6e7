"""`report`: a journal as one page, for where no promoter has written it."""

import argparse
from pathlib import Path

from scripts.rollout.cli.output import emit, lines_of
from scripts.rollout.errors import Exit, RolloutError
from scripts.rollout.journal import broadcast, chain


def run(options: argparse.Namespace) -> Exit:
    """Write it, and say where."""
    if options.html is None and options.file == "-":
        raise RolloutError("a journal from standard input needs --html FILE")
    lines = [each for each in lines_of(options.file) if each.startswith(chain.HEAD)]
    story = broadcast.told(lines)
    if not story.policy:
        raise RolloutError(f"{options.file}: no rollout begins in it")
    path = options.html or Path(options.file).with_name("report.html")
    broadcast.write(story, path)
    emit(options, {"report": str(path)}, str(path))
    return Exit.PROMOTED
