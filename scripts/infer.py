"""Asks a running predictor or a gateway, and shows which revision answered.

python -m scripts.infer "my parcel is late" --protocol v2
python -m scripts.infer --file texts.txt --count 2000 --concurrency 8
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, BadParameter, Option

from scripts.entry import CommandLine, number, whole

URLS = {"grpc": "localhost:8081"}
URL = "http://localhost:8080"
INFER = CommandLine("scripts.infer", failed=2, interrupted="interrupted")


def main(arguments: Sequence[str] | None = None) -> int:
    """Send the requests; return 1 if any failed, 2 without any text, 130 on ^C."""
    return INFER.run(arguments)


@INFER.verb
def infer(
    texts: Annotated[list[str] | None, Argument(help="- reads lines of stdin")] = None,
    file: Annotated[Path | None, Option(help="one text per line")] = None,
    protocol: Literal["v1", "v2", "predict", "grpc"] = "v1",
    url: Annotated[str | None, Option(help=f"{URL}, for grpc {URLS['grpc']}")] = None,
    host: Annotated[str | None, Option(help="header, as gateways route by it")] = None,
    model: str = "intent",
    count: Annotated[int | None, whole("number of requests; texts in turn")] = None,
    rps: Annotated[float | None, number("requests per second, at most")] = None,
    concurrency: Annotated[int, whole("requests at a time")] = 1,
    output: Annotated[Literal["table", "json"], Option("-o")] = "table",
) -> int:
    """Ask for predictions."""
    from scripts import console
    from scripts.inference import terminal
    from scripts.inference.clients import Target, connect
    from scripts.inference.load import summarise

    asked = _texts(texts or [], file)
    if not asked:
        raise BadParameter("no text given; as argument, --file, or -")
    target = Target(url or URLS.get(protocol, URL), host, model)
    answers = terminal.ask_all(
        partial(connect, protocol, target),
        asked,
        total=count or len(asked),
        rate=rps,
        concurrency=concurrency,
    )
    summary = summarise(answers)
    if output == "json":
        content = (
            asdict(summary)
            if count
            else {"answers": [asdict(answer) for answer in answers]}
        )
        print(json.dumps(content, indent=2, ensure_ascii=False))
    elif count:
        terminal.print_summary(summary)
    else:
        console.table(terminal.table(answers))
    for reason in sorted({answer.error for answer in answers if answer.error}):
        console.err.print(f"error: {reason}", markup=False)
    return 1 if summary.failed else 0


def _texts(given: list[str], file: Path | None) -> list[str]:
    found: list[str] = []
    for text in given:
        found += _lines("-") if text == "-" else [text]
    if file is not None:
        found += _lines(file)
    return [text for text in found if text.strip()]


def _lines(file: str | Path) -> list[str]:
    try:
        if file == "-":
            return sys.stdin.read().splitlines()
        return Path(file).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise BadParameter(f"{file}: expected UTF-8 text") from error


if __name__ == "__main__":
    sys.exit(main())
