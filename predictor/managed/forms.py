"""Reads texts from JSON, JSON Lines and CSV, writes predictions to them. Pure.

CSV has one text a row and no header, as SageMaker's own containers have it.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, Literal

import orjson
from kserve.errors import InvalidInput

from predictor.protocol import (
    INPUT,
    MAX_TEXTS,
    V1_FORM,
    Predictions,
    check_texts,
    kind,
    parse_json,
    plain_answer,
    texts_from_plain,
    texts_from_v1,
    v1_answer,
    v1_json,
)

Form = Literal["json", "plain", "lines", "csv"]
"""`plain` is the tutorial's one text, JSON as well."""
FORMS: dict[str, Form] = {
    "application/json": "json",
    "application/jsonlines": "lines",
    "application/x-jsonlines": "lines",
    "text/csv": "csv",
}
TYPES: dict[Form, str] = {form: name for name, form in reversed(FORMS.items())}
TYPES["plain"] = "application/json"
SERVED = "application/json, application/jsonlines or text/csv"
# A weight of zero is a refusal.
REFUSED = re.compile(r";\s*q=0(\.0*)?\s*(;|$)")


def form_of(content_type: str) -> Form | None:
    """Return the form of a body; JSON without a type, as at the other doors."""
    name = _name(content_type)
    return FORMS.get(name) if name else "json"


def wanted(accept: str, sent: Form) -> Form | None:
    """Return the form to answer in, None if none that is accepted is served.

    Whoever accepts all is answered as was asked.
    """
    ranges = [each for each in accept.split(",") if not REFUSED.search(each)]
    for name in map(_name, ranges):
        if name in ("", "*/*") or name == _name(TYPES[sent]):
            return sent
        if name in FORMS:
            return FORMS[name]
        if name in ("application/*", "text/*"):
            is_alike = TYPES[sent].startswith(name[:-1])
            return sent if is_alike else _first(name[:-1])
    return None


def _first(start: str) -> Form:
    return next(form for name, form in FORMS.items() if name.startswith(start))


def _name(media_type: str) -> str:
    return media_type.partition(";")[0].strip().lower()


def texts_of(body: bytes, form: Form) -> tuple[list[str], Form]:
    """Return the texts, and the form that they came in. Raises InvalidInput."""
    if form == "json":
        return _from_json(parse_json(body))
    read = _from_lines if form == "lines" else _from_csv
    return check_texts(list(read(body)), form), form


def _from_json(payload: object) -> tuple[list[str], Form]:
    if isinstance(payload, dict) and "instances" in payload:
        return texts_from_v1(payload), "json"
    if isinstance(payload, dict) and INPUT in payload:
        return texts_from_plain(payload), "plain"
    got = kind(payload) if not isinstance(payload, dict) else "neither key"
    raise InvalidInput(f'body: expected {V1_FORM} or {{"text": "..."}}, got {got}')


def _from_lines(body: bytes) -> Iterable[object]:
    """Yield a text of each line: a string, or an object with `text`."""
    lines = [line for line in body.split(b"\n") if line.strip()]
    if len(lines) > MAX_TEXTS:
        raise _too_many("lines")
    for position, line in enumerate(lines):
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise InvalidInput(
                f"lines[{position}]: expected JSON in UTF-8, {error.msg}"
            ) from error
        yield value.get(INPUT) if isinstance(value, dict) else value


def _from_csv(body: bytes) -> Iterable[object]:
    """Yield the one column of each row."""
    try:
        text = body.decode("utf-8-sig")
        rows = filter(None, csv.reader(io.StringIO(text, newline=""), strict=True))
        found = list(islice(rows, MAX_TEXTS + 1))
    except (UnicodeDecodeError, csv.Error) as error:
        why = getattr(error, "reason", None) or error
        raise InvalidInput(f"body: expected CSV in UTF-8, {why}") from error
    if len(found) > MAX_TEXTS:
        raise _too_many("rows")
    for position, row in enumerate(found):
        if len(row) != 1:
            raise InvalidInput(
                f"csv[{position}]: expected one column, a text with commas in quotes, "
                f"got {len(row)}"
            )
        yield row[0]


def _too_many(what: str) -> InvalidInput:
    return InvalidInput(f"body: expected at most {MAX_TEXTS} {what}, got more")


def written(found: Predictions, form: Form) -> bytes:
    """Return the body of an answer."""
    return WRITERS[form](found)


def _as_lines(found: Predictions) -> bytes:
    each: list[Any] = v1_answer(found)["predictions"]
    return b"".join(orjson.dumps(row) + b"\n" for row in each)


def _as_csv(found: Predictions) -> bytes:
    """Write label and confidence, one row a text."""
    output = io.StringIO()
    rows = zip(found.labels, found.confidences, strict=True)
    csv.writer(output, lineterminator="\n").writerows(rows)
    return output.getvalue().encode()


WRITERS: dict[Form, Callable[[Predictions], bytes]] = {
    "json": v1_json,
    "plain": lambda found: orjson.dumps(plain_answer(v1_answer(found))),
    "lines": _as_lines,
    "csv": _as_csv,
}
