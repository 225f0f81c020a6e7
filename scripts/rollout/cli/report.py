"""`report`: a journal as one page, for where no promoter has written it."""

import argparse
from pathlib import Path

from scripts.rollout.cli.output import emit, lines_of
from scripts.rollout.errors import Exit, JournalError, RolloutError
from scripts.rollout.journal import chain
from scripts.rollout.report import writer


def run(options: argparse.Namespace) -> Exit:
    """Check its chain, write the page, and say where."""
    if options.html is None and options.file == "-":
        raise RolloutError("a journal from standard input needs --html FILE")
    lines = [each for each in lines_of(options.file) if each.startswith(chain.HEAD)]
    path = options.html or Path(options.file).with_name("report.html")
    try:
        writer.write_report(lines, path)
    except JournalError as error:
        raise JournalError(f"{options.file}: {error}") from error
    emit(options, {"report": str(path)}, str(path))
    return Exit.PROMOTED
