"""`replay` and `report`: decide a journal again, or show it as a page."""

from pathlib import Path
from typing import Any

from scripts.rollout import text
from scripts.rollout.cli.options import Format, ReportFormat, emit, naming, text_of
from scripts.rollout.errors import Exit, RolloutError
from scripts.rollout.journal import chain
from scripts.rollout.journal import replay as replaying
from scripts.rollout.policy import reader
from scripts.rollout.report import markdown, writer

# Three years: smaller times are no clock's, but a CSV's, which count from its start.
SMALLEST_CLOCK_S = 1e8


def replay(file: str, policy_file: Path | None, output: Format | None) -> Exit:
    """Print each decision; return the exit code that the run would have had."""
    policy = reader.read(policy_file) if policy_file else None
    lines = text_of(file).splitlines()
    entries = _entries(lines)
    if entries:
        found = replaying.journal(entries, policy)
    elif policy is None:
        raise RolloutError("counters as CSV need --policy FILE")
    else:
        with naming(file):
            found = replaying.counts(lines, policy)
    for at, note in found.notes:
        emit(output, {"time": at, "note": note}, f"{_when(at)} {note}")
    code = Exit.PROMOTED if found.code is None else found.code
    ended: dict[str, Any] = {"verdict": code.name, "exitCode": int(code)}
    said = text.verdict(code)
    if found.code is None:
        ended, said = {}, "no rollout begins here, so nothing was decided again"
    if found.lines[1]:
        ended["verifiedLines"] = list(found.lines)
        said += f"; lines {found.lines[0]} to {found.lines[1]} verified"
    emit(output, ended, said)
    return code


def _when(at: float) -> str:
    """Format a time of day as `run` does, seconds that count from a start as +1m40s."""
    return text.clock(at) if at >= SMALLEST_CLOCK_S else f"+{text.duration(at)}"


def report(file: str, page: Path | None, output: ReportFormat | None) -> Exit:
    """Check the journal's chain, write the page, and print its path.

    As Markdown print the rollout itself, and write a page only where one is named.
    """
    if output == "markdown":
        return _markdown(file, page)
    if page is None and file == "-":
        raise RolloutError("a journal from standard input needs --html FILE")
    page = page or Path(file).with_name("report.html")
    lines = _entries(text_of(file).splitlines())
    with naming(file):
        writer.write_report(lines, page)
    emit(output, {"report": str(page)}, str(page))
    return Exit.PROMOTED


def _markdown(file: str, page: Path | None) -> Exit:
    lines = _entries(text_of(file).splitlines())
    with naming(file):
        print(markdown.summary(writer.verified(lines)[0]), end="")
        if page is not None:
            writer.write_report(lines, page)
    return Exit.PROMOTED


def _entries(lines: list[str]) -> list[str]:
    """Return a journal's lines; a promoter's output has other lines between them."""
    return [line for line in lines if line.startswith(chain.HEAD)]
