"""Converts V1 bodies and the tutorial's plain form to texts, predictions to answers.

Pure: no server, no clock, no metrics. Every fault of a caller is an InvalidInput whose
message names the field and what was expected, and never repeats the text itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import orjson
from kserve.errors import InvalidInput

INPUT = "text"
MANY = 16  # texts: for fewer, what is made for all at once costs more than it saves
MAX_TEXTS = 1024
MAX_CHARACTERS = 8192
MAX_LETTERS = 512 * 1024
MAX_ID = 256
SHOWN = 40
NO_TEXT = object()  # in place of an instance's text, where it has no such key

V1_FORM = '{"instances": ["text", ...]} or {"instances": [{"text": "..."}, ...]}'


class Predictions(NamedTuple):
    """The answers to one request, one item per text; `rows` has a column per class."""

    classes: tuple[str, ...]
    rows: list[list[float]]
    labels: list[str]
    confidences: list[float]

    @classmethod
    def of(cls, classes: tuple[str, ...], rows: list[list[float]]) -> "Predictions":
        """Choose the most probable class of each row, the first of equal ones."""
        confidences = list(map(max, rows))
        columns = map(list.index, rows, confidences)
        return cls(classes, rows, [classes[column] for column in columns], confidences)


@dataclass(frozen=True, slots=True)
class Source:
    """The origin of an answer: model, artifact version and running revision."""

    model: str
    version: str
    revision: str


def texts_from_v1(payload: object) -> list[str]:
    """Return the texts of a V1 body that was parsed from JSON."""
    if not isinstance(payload, dict):
        raise InvalidInput(f"body: expected an object {V1_FORM}, got {kind(payload)}")
    if "instances" not in payload:
        raise InvalidInput(f"instances: missing, expected {V1_FORM}")
    instances = payload["instances"]
    if not isinstance(instances, list):
        raise InvalidInput(f"instances: expected a list, got {kind(instances)}")
    texts = [
        item.get(INPUT, NO_TEXT) if isinstance(item, dict) else item
        for item in instances
    ]
    return check_texts(texts, "instances")


def texts_from_plain(payload: object) -> list[str]:
    """Return the one text of the tutorial's `{"text": "..."}`."""
    if not isinstance(payload, dict) or INPUT not in payload:
        raise InvalidInput('text: missing, expected a body {"text": "..."}')
    return check_texts([payload[INPUT]], INPUT, indexed=False)


def v1_answer(predictions: Predictions) -> dict[str, Any]:
    """Return `{"predictions": [{"label", "confidence", "probabilities"}, ...]}`."""
    classes, rows, labels, confidences = predictions
    return {
        "predictions": [
            {
                "label": label,
                "confidence": confidence,
                "probabilities": dict(zip(classes, row, strict=True)),
            }
            for label, confidence, row in zip(labels, confidences, rows, strict=True)
        ]
    }


def v1_sent(predictions: Predictions) -> dict[str, Any]:
    """Return `v1_answer` for orjson; of many texts without an object for each."""
    classes, rows, labels, confidences = predictions
    many, each = len(labels), len(classes)
    if many < MANY:
        return v1_answer(predictions)
    written = orjson.dumps([*confidences, *chain.from_iterable(rows)])
    numbers = written[1:-1].split(b",")
    names = dict(zip(classes, map(orjson.dumps, classes), strict=True))
    starts = {name: b'{"label":%s,"confidence":' % said for name, said in names.items()}
    width = 2 * each + 3
    parts = [b""] * (many * width)
    parts[::width] = [starts[label] for label in labels]
    parts[1::width] = numbers[:many]
    for at, said in enumerate(names.values()):
        before = b"," if at else b',"probabilities":{'
        parts[2 * at + 2 :: width] = [b"%s%s:" % (before, said)] * many
        parts[2 * at + 3 :: width] = numbers[many + at :: each]
    parts[width - 1 :: width] = [b"}},"] * many
    return {"predictions": orjson.Fragment(b"[%s]" % b"".join(parts)[:-1])}


def v1_json(predictions: Predictions) -> bytes:
    """Return `v1_answer` as JSON."""
    return orjson.dumps(v1_sent(predictions))


def plain_answer(answer: dict[str, Any]) -> dict[str, Any]:
    """Return `{"intent", "confidence"}` of a V1 answer's first prediction."""
    first = answer["predictions"][0]
    return {"intent": first["label"], "confidence": first["confidence"]}


def parse_json(body: bytes) -> object:
    """Parse a JSON body; refuse invalid UTF-8, NaN and lone surrogates."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(
            f"body: expected JSON in UTF-8, {error.msg} at character {error.pos}"
        ) from error


def check_texts(
    texts: Sequence[object], field: str, *, indexed: bool = True
) -> list[str]:
    """Return the texts, or raise InvalidInput naming the first invalid one."""
    if not 1 <= len(texts) <= MAX_TEXTS:
        raise InvalidInput(
            f"{field}: expected 1 to {MAX_TEXTS} texts, got {len(texts)}"
        )
    served: list[str] = list(texts)  # type: ignore[arg-type]
    try:
        are_texts, letters = all(map(str.strip, served)), sum(map(len, served))
    except TypeError:
        are_texts, letters = False, 0
    is_long = letters > MAX_CHARACTERS and max(map(len, served)) > MAX_CHARACTERS
    if is_long or not are_texts:
        faults = enumerate(map(_fault, texts))
        position, fault = next(each for each in faults if each[1])
        place = f"{field}[{position}]" if indexed else field
        raise InvalidInput(f"{place}: {fault}")
    if letters > MAX_LETTERS:
        raise InvalidInput(
            f"{field}: expected at most {MAX_LETTERS} characters in all texts, "
            f"got {letters}"
        )
    return served


def _fault(text: object) -> str:
    """Describe why a text cannot be served, "" where it can."""
    if text is NO_TEXT:
        return 'expected {"text": "..."}, got an object without "text"'
    if not isinstance(text, str):
        return f"expected a text, got {kind(text)}"
    if not text.strip():
        return "expected a text, got an empty one"
    if len(text) > MAX_CHARACTERS:
        return f"expected at most {MAX_CHARACTERS} characters, got {len(text)}"
    return ""


def kind(value: object) -> str:
    """Name the type of a JSON value, for a message."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str() | bytes():
            return "a string"
        case list():
            return "a list"
        case _:
            return "an object"


def shorten(value: object) -> str:
    """Return a caller's value, short enough for a message."""
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
