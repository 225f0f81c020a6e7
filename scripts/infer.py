"""Asks a running predictor, or a gateway, and shows who answered.

python -m scripts.infer "my parcel is late" --protocol v2
python -m scripts.infer --file texts.txt --count 2000 --concurrency 8
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from rich.table import Table

from scripts import console
from scripts.inference.clients import PROTOCOLS, Answer, Ask, Target, connect
from scripts.inference.load import Share, Summary, send, summarise

URLS = {"grpc": "localhost:8081"}
URL = "http://localhost:8080"
SHOWN = 60


def main(argv: Sequence[str] | None = None) -> int:
    """Send the requests; 1 if any failed, 2 if there is nothing to send, 130 on ^C."""
    options = _parser().parse_args(argv)
    try:
        texts = _texts(options)
    except (OSError, UnicodeDecodeError) as error:
        console.err.print(f"error: {options.file}: {error}", markup=False)
        return 2
    if not texts:
        console.err.print("error: no text given; as argument, --file, or -")
        return 2
    url = options.url or URLS.get(options.protocol, URL)
    target = Target(url, options.host, options.model)
    try:
        answers = ask_all(
            partial(connect, options.protocol, target),
            texts,
            total=options.count or len(texts),
            rate=options.rps,
            concurrency=options.concurrency,
        )
    except KeyboardInterrupt:
        console.err.print("interrupted")
        return 130
    summary = summarise(answers)
    if options.output == "json":
        content = (
            asdict(summary)
            if options.count
            else {"answers": [asdict(answer) for answer in answers]}
        )
        print(json.dumps(content, indent=2, ensure_ascii=False))
    elif options.count:
        print_summary(summary)
    else:
        console.table(_table(answers))
    for reason in sorted({answer.error for answer in answers if answer.error}):
        console.err.print(f"error: {reason}", markup=False)
    return 1 if summary.failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.infer", description="Ask for predictions."
    )
    parser.add_argument("texts", nargs="*", help="texts; - reads lines of stdin")
    parser.add_argument("--file", type=Path, help="a text a line")
    parser.add_argument("--protocol", choices=PROTOCOLS, default="v1")
    parser.add_argument("--url", help=f"{URL}, for grpc {URLS['grpc']}")
    parser.add_argument("--host", help="Host header, as a gateway routes by it")
    parser.add_argument("--model", default="intent")
    parser.add_argument("--count", type=_positive, help="requests; texts in turns")
    parser.add_argument("--rps", type=float, help="requests a second, at most")
    parser.add_argument("--concurrency", type=_positive, default=1)
    parser.add_argument("-o", dest="output", choices=("table", "json"), default="table")
    return parser


def _positive(value: str) -> int:
    if not value.isdecimal() or int(value) < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got {value!r}")
    return int(value)


def _texts(options: argparse.Namespace) -> list[str]:
    texts: list[str] = []
    for text in options.texts:
        texts += sys.stdin.read().splitlines() if text == "-" else [text]
    if options.file is not None:
        texts += options.file.read_text(encoding="utf-8").splitlines()
    return [text for text in texts if text.strip()]


def ask_all(
    connection: Callable[[], Ask],
    texts: Sequence[str],
    *,
    total: int,
    rate: float | None,
    concurrency: int,
) -> list[Answer]:
    """Send `total` requests with a bar on a terminal; arguments as `load.send` has."""
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


def _table(answers: Sequence[Answer]) -> Table:
    table = Table("TEXT", "LABEL", "CONFIDENCE", "VERSION", "REVISION", "MS", box=None)
    for answer in answers:
        table.add_row(
            answer.text[:SHOWN],
            answer.label or answer.code,
            f"{answer.confidence:.3f}",
            answer.version,
            answer.revision,
            f"{answer.latency_ms:.1f}",
        )
    return table


def print_summary(summary: Summary, wanted: dict[str, int] | None = None) -> None:
    """Print the split, beside the wanted percents where they are known."""
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


if __name__ == "__main__":
    sys.exit(main())
