"""Dataclasses with arrays to JSON and back, exactly: floats keep every bit."""

import dataclasses
import types
from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np


def encode(value: Any) -> Any:
    """Nothing but dicts, lists, strings, numbers, booleans and None."""
    if dataclasses.is_dataclass(value):
        names = (each.name for each in dataclasses.fields(value))
        return {name: encode(getattr(value, name)) for name in names}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {key: encode(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [encode(each) for each in value]
    return value


def decode(kind: Any, value: Any) -> Any:
    """A value of the annotated type. Raises KeyError, TypeError or ValueError."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _decode_union(kind, value)
    if origin is np.ndarray:
        return np.array(value, dtype=float)
    if origin is tuple:
        return _decode_tuple(get_args(kind), value)
    if origin is not None and issubclass(origin, Mapping):
        inner = get_args(kind)[1]
        return {key: decode(inner, each) for key, each in value.items()}
    if dataclasses.is_dataclass(kind):
        assert isinstance(kind, type)
        hints = _hints(kind)
        return kind(**{name: decode(hints[name], each) for name, each in value.items()})
    if isinstance(kind, type) and issubclass(kind, Enum | float):
        return kind(value)
    return value


def _decode_union(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    (only,) = (each for each in get_args(kind) if each is not type(None))
    return decode(only, value)


def _decode_tuple(kinds: tuple[Any, ...], value: Any) -> Any:
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(decode(kinds[0], each) for each in value)
    return tuple(decode(k, each) for k, each in zip(kinds, value, strict=True))


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
