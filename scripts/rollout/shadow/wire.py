"""Writes a ModelInferRequest and reads its response, byte by byte. Pure.

Two messages of the Open Inference Protocol need no generated code, which could not
share a process with another package's.
"""

from array import array
from collections.abc import Iterator

from scripts.rollout.shadow.requests import BINARY, Answers, Lent, raw

METHOD = "/inference.GRPCInferenceService/ModelInfer"
# Numbers of fields in the protocol's messages.
MODEL, INPUTS, RAW_INPUTS, OUTPUTS, RAW_OUTPUTS = 1, 5, 7, 5, 6
NAME, DATATYPE, SHAPE, CONTENTS = 1, 2, 3, 5
FLOATS, BYTES = 6, 8
LONGEST_VARINT = 63  # bits
VARINT, FIXED64, SIZED, FIXED32 = 0, 1, 2, 5  # how a field is written


def request(lent: Lent) -> bytes:
    """Return a request as ModelInferRequest."""
    texts = [text.encode() for text in lent.texts]
    tensor = _field(NAME, b"text") + _field(DATATYPE, b"BYTES")
    tensor += _field(SHAPE, _varint(len(texts)))
    if lent.form == BINARY:
        tail = _field(RAW_INPUTS, raw(lent))
    else:
        tensor += _field(CONTENTS, b"".join(_field(BYTES, each) for each in texts))
        tail = b""
    return _field(MODEL, lent.model.encode()) + _field(INPUTS, tensor) + tail


def answers(message: bytes) -> Answers:
    """Read a ModelInferResponse. Raises ValueError, LookupError or TypeError."""
    tensors, raws = [], []
    for number, value in _fields(message):
        if number == OUTPUTS:
            tensors.append(dict(_fields(value)))
        elif number == RAW_OUTPUTS:
            raws.append(value)
    contents = {
        tensor[NAME]: _content(tensor, raws[place] if raws else None)
        for place, tensor in enumerate(tensors)
    }
    confidences = b"".join(contents[b"confidence"])
    numbers = array("f", confidences).tolist()
    names = [label.decode() for label in contents[b"label"]]
    return tuple(zip(names, numbers, strict=True))


def _content(tensor: dict[int, bytes], as_bytes: bytes | None) -> list[bytes]:
    """Return a tensor's elements: texts one by one, numbers as they are."""
    if as_bytes is None:
        inside = _fields(tensor.get(CONTENTS, b""))
        return [value for number, value in inside if number in (FLOATS, BYTES)]
    if tensor[DATATYPE] != b"BYTES":
        return [as_bytes]
    found, place = [], 0
    while place < len(as_bytes):
        end = place + 4 + int.from_bytes(as_bytes[place : place + 4], "little")
        found.append(as_bytes[place + 4 : end])
        place = end
    return found


def _field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | SIZED) + _varint(len(value)) + value


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of each field that is written with its size."""
    place = 0
    while place < len(message):
        key, place = _read_varint(message, place)
        kind = key & 7
        if kind == SIZED:
            size, place = _read_varint(message, place)
            yield key >> 3, message[place : place + size]
            place += size
        elif kind == VARINT:
            _, place = _read_varint(message, place)
        else:
            place += {FIXED64: 8, FIXED32: 4}[kind]


def _read_varint(message: bytes, place: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = message[place]
        place, number = place + 1, number | (byte & 0x7F) << shift
        if byte < 0x80:
            return number, place
        shift += 7
        if shift > LONGEST_VARINT:
            raise ValueError("a number without end")
