"""Converts dataclasses with arrays to JSON and back, exactly: floats keep every bit.

A field that an older journal lacks takes its default; a field that only a newer version
knows is ignored. So a new field that changes a decision must raise SCHEMA: a journal of
an unknown schema is refused before it is decoded.
"""

from typing import Any, TypeVar

import msgspec
import numpy as np

from scripts.rollout.errors import JournalError

T = TypeVar("T")


def encode(value: Any) -> Any:
    """Convert to dicts, lists, strings, numbers, booleans and None."""
    return msgspec.to_builtins(value, enc_hook=lambda array: array.tolist())


def decode(kind: type[T], value: Any, place: str = "journal") -> T:
    """Convert JSON that stood at `place` into a value of the annotated type.

    Raises JournalError, which names the field that does not fit.
    """
    try:
        return msgspec.convert(value, kind, dec_hook=_array)
    except msgspec.ValidationError as error:
        raise JournalError(f"{place}: {error}") from error


def _array(_: type, value: Any) -> Any:
    """Convert to an array; refuse infinite numbers and NaN, which no commit writes."""
    found = np.array(value, dtype=float)
    if not np.isfinite(found).all():
        raise ValueError("Expected finite numbers")
    return found
