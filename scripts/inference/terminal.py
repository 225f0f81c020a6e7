"""Sends many requests with a bar on a terminal, and tabulates the answers."""

from collections.abc import Callable, Sequence

from rich.table import Table

from scripts import console
from scripts.inference.clients import Answer, Ask
from scripts.inference.load import Share, Summary, send

SHOWN = 60


def ask_all(
    connection: Callable[[], Ask],
    texts: Sequence[str],
    *,
    total: int,
    rate: float | None,
    concurrency: int,
) -> list[Answer]:
    """Send `total` requests with a bar on a terminal; arguments as `load.send`'s."""
    with console.progress() as progress:
        task = progress.add_task("requests", total=total)
        return send(
            connection,
            texts,
            total=total,
            rate=rate,
            concurrency=concurrency,
            on_answer=lambda _: progress.advance(task),
        )


def table(answers: Sequence[Answer]) -> Table:
    """Tabulate answers with their text and revision."""
    shown = Table("TEXT", "LABEL", "CONFIDENCE", "VERSION", "REVISION", "MS", box=None)
    for answer in answers:
        shown.add_row(
            answer.text[:SHOWN],
            answer.label or answer.code,
            f"{answer.confidence:.3f}",
            answer.version,
            answer.revision,
            f"{answer.latency_ms:.1f}",
        )
    return shown


def print_summary(summary: Summary, wanted: dict[str, int] | None = None) -> None:
    """Print the split, beside the wanted percents if given."""
    table = Table("REVISION", "ANSWERS", "SHARE", "95 % INTERVAL", box=None)
    if wanted is not None:
        table.add_column("WANTED")
    for share in summary.split:
        row = [share.revision, str(share.answers), f"{share.share:.1%}", _range(share)]
        if wanted is not None:
            row.append(f"{wanted.get(share.revision, 0)}%")
        table.add_row(*row)
    console.table(table)
    codes = ", ".join(f"{code}: {n}" for code, n in sorted(summary.codes.items()))
    times = ", ".join(f"{name} {ms:.1f}" for name, ms in summary.latency_ms.items())
    console.out.print(f"{summary.requests} requests, codes {codes}")
    console.out.print(f"latency in ms: {times}")


def _range(share: Share) -> str:
    return f"{share.low:.1%} - {share.high:.1%}"
