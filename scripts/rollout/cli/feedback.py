"""`feedback`: hand in true labels by request id, as evidence."""

import csv
import json
from collections.abc import Iterator

from scripts.rollout.cli.options import Common, Named, emit, find, text_of
from scripts.rollout.errors import Exit, RolloutError
from scripts.rollout.shadow.pairs import FEEDBACK
from scripts.rollout.state.actions import Request
from scripts.rollout.steering.ask import person
from scripts.rollout.steering.seen import policy_of

# Rows per request: about 100 kB of the 1 MiB that a ConfigMap may have.
MOST_ROWS = 2000
COLUMNS = ["id", "label"]


def feedback(named: Named, file: str, common: Common) -> Exit:
    """Hand in the labels that pairs wait for; report what became of every row."""
    labels = list(_rows(text_of(file).splitlines(), file))
    journal, saved = find(named, common)
    if saved.state.is_over:
        raise RolloutError(f"{saved.state.canary}: {saved.state.phase} already")
    if not any(metric.feedback for metric in policy_of(journal, saved).metrics):
        raise RolloutError("no metric of this rollout's policy has feedback: label")
    known = {name: label for name, label in labels if name in saved.apart}
    for start in range(0, len(known), MOST_ROWS):
        part = dict(list(known.items())[start : start + MOST_ROWS])
        journal.ask(Request(FEEDBACK, json.dumps(part), person()))
    repeated = len(labels) - len(dict(labels))
    rest = len(labels) - repeated - len(known)
    said = (
        f"{len(labels)} rows: {len(known)} asked for, {repeated} repeated, {rest} not "
        "waited for (both answered alike, counted already, not shadowed, or too late)"
    )
    found = {"rows": len(labels), "used": len(known), "repeated": repeated}
    emit(common.output, {**found, "notWaitedFor": rest}, said)
    return Exit.PROMOTED


def _rows(lines: list[str], file: str) -> Iterator[tuple[str, str]]:
    """Yield id and label of each row, of CSV with a header or of JSON lines."""
    filled = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not filled:
        raise RolloutError(f"{file}: no rows")
    if filled[0][1].lstrip().startswith("{"):
        yield from (_json_row(line, f"{file}:{number}") for number, line in filled)
        return
    header = [each.strip() for each in next(csv.reader([filled[0][1]]))]
    if not set(COLUMNS) <= set(header):
        raise RolloutError(f"{file}:1: expected columns id,label, got {filled[0][1]}")
    for number, line in filled[1:]:
        cells = [each.strip() for each in next(csv.reader([line]))]
        row = dict(zip(header, cells, strict=False))
        yield _checked(row, f"{file}:{number}")


def _json_row(line: str, place: str) -> tuple[str, str]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise RolloutError(f"{place}: not JSON: {error}") from error
    return _checked(row, place)


def _checked(row: object, place: str) -> tuple[str, str]:
    found = [row.get(name) for name in COLUMNS] if isinstance(row, dict) else []
    if not found or not all(isinstance(each, str) and each for each in found):
        raise RolloutError(f"{place}: expected an id and a label, both texts")
    return str(found[0]), str(found[1])
