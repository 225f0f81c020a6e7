"""Dataclasses with arrays to JSON and back, exactly: floats keep every bit."""

import dataclasses
import types
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

PLAIN = frozenset((str, int, float, bool, type(None)))
Decoder = Callable[[Any], Any]


def encode(value: Any) -> Any:
    """Nothing but dicts, lists, strings, numbers, booleans and None."""
    kind: Any = type(value)
    if kind in PLAIN:
        return value
    if isinstance(value, list | tuple):
        return [each if type(each) in PLAIN else encode(each) for each in value]
    if isinstance(value, Mapping):
        return {key: encode(each) for key, each in value.items()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value):
        return {name: encode(getattr(value, name)) for name in _names(kind)}
    return value


@cache
def _names(kind: Any) -> tuple[str, ...]:
    """The fields of a dataclass."""
    return tuple(each.name for each in dataclasses.fields(kind))


def decode(kind: Any, value: Any) -> Any:
    """A value of the annotated type. Raises KeyError, TypeError or ValueError."""
    return _decoder(kind)(value)


@cache
def _decoder(kind: Any) -> Decoder:
    """What turns JSON into this type; it is put together once."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        (only,) = (_decoder(each) for each in inner if each is not type(None))
        return lambda value: None if value is None else only(value)
    if origin is np.ndarray:
        return lambda value: np.array(value, dtype=float)
    if origin is tuple:
        return _tuple(inner)
    if origin is not None and issubclass(origin, Mapping):
        each = _decoder(inner[1])
        return lambda value: {name: each(item) for name, item in value.items()}
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    return _same


def _same(value: Any) -> Any:
    return value


def _tuple(inner: tuple[Any, ...]) -> Decoder:
    kinds = {_decoder(each) for each in inner if each is not Ellipsis}
    if kinds == {_same}:
        return tuple
    (each,) = kinds
    return lambda value: tuple(map(each, value))


def _dataclass(kind: Any) -> Decoder:
    hints = get_type_hints(kind)
    decoders = {
        field.name: _decoder(hints[field.name]) for field in dataclasses.fields(kind)
    }
    return lambda value: kind(
        **{name: decoders[name](value[name]) for name in decoders if name in value}
    )
