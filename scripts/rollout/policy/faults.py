"""Finds every fault of a policy's content at once.

A wrong value hides the faults that are looked for after it. So each wrong value is
replaced by a valid one, or taken out, and the rest is checked again. Pure.
"""

import copy
import difflib
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from scripts.rollout.policy.conflicts import Conflict, conflicts
from scripts.rollout.policy.policy import Policy
from scripts.rollout.policy.values import BRANCHES, ENDPOINT
from scripts.yaml_text import Place

Fault = tuple[Place, str]
# Valid values by key: what stands beside one is checked as if it had been right.
STAND_INS: dict[object, Any] = {
    "target": {"inferenceservice": "intent"},
    "inferenceservice": "intent",
    "route": "intent",
    "ingress": "intent",
    "endpoint": "intent",
    "llminferenceservice": "intent",
    "name": "errors",
    "url": "http://localhost",
    "format": "json",
    "slo": "1s",
    "bad": "confidence<0.5",
    "promql": {"bad": "{revision}", "total": "{revision}"},
    "promql.bad": "{revision}",
    "promql.total": "{revision}",
    "drift": "predicted_label",
    "shadow": "predicted_label",
    "feedback": "label",
    "budget": "1%",
    "tolerance": "1%",
}

MAY_BE_SECRET: tuple[Place, ...] = (("notify",), ("hooks",), ("source", "prometheus"))
OPEN = ("format", "timeout")  # in there


def find(content: dict[Any, Any]) -> tuple[Policy | None, list[Fault]]:
    """Return the policy, None without one that is right, and every fault by place."""
    try:
        policy = Policy.model_validate(content)
    except ValidationError as error:
        return None, list(_Mended(content).faults(error))
    return policy, [(each.place, each.fault) for each in conflicts(policy)]


class _Mended:
    """A content whose wrong values get replaced, or taken out."""

    def __init__(self, content: dict[Any, Any]) -> None:
        self._content = copy.deepcopy(content)
        self._replaced: list[Place] = []
        self._taken: list[Place] = []

    def faults(self, error: ValidationError) -> Iterator[Fault]:
        """Yield the faults, and those that were hidden behind them."""
        told = list(_faults(error))
        yield from (each for each in told if not self._is_made_here(each[0]))
        # From behind, so that an item that is taken out moves none that is still due.
        if not any([self._mend(place) for place, _ in reversed(told)]):
            return
        try:
            policy = Policy.model_validate(self._content)
        except ValidationError as another:
            yield from self.faults(another)
        else:
            rest = filter(self._stands, conflicts(policy))
            yield from ((each.place, each.fault) for each in rest)

    def _is_made_here(self, place: Place) -> bool:
        """Return whether only the mending makes this place wrong."""
        is_replaced = place in self._replaced
        return is_replaced or any(_is_in(each, place) for each in self._taken)

    def _stands(self, conflict: Conflict) -> bool:
        """Return whether a conflict depends on nothing that was wrong."""
        return not any(
            _is_in(conflict.place, each)
            or any(_is_in(each, read) or _is_in(read, each) for read in conflict.reads)
            for each in (*self._replaced, *self._taken)
        )

    def _mend(self, place: Place) -> bool:
        """Mend a value, else the part that it belongs to; return whether it could."""
        while place in self._taken:
            place = place[:-1]
        if not place or any(_is_in(place, each) for each in self._taken):
            return False
        *path, last = place
        inside: Any = self._content
        for step in path:
            inside = inside[step]
        if isinstance(inside, str):  # a short form, such as a URL alone
            return self._mend(tuple(path))
        near = _near(place)
        if near is not None and near not in inside:
            self._mend((*path, near))
        instead = STAND_INS.get(".".join(map(str, place[-2:])), STAND_INS.get(last))
        if instead is not None and place not in self._replaced:
            inside[last] = copy.deepcopy(instead)
            self._replaced.append(place)
            return True
        if isinstance(last, int) or last in inside:
            del inside[last]
        self._taken.append(place)
        return True


def _is_in(place: Place, part: Place) -> bool:
    """Return whether a place is a part of the file, or within it."""
    return place[: len(part)] == part


def _faults(error: ValidationError) -> Iterator[Fault]:
    """Yield faults by place; a list that its own faults emptied is not reported too."""
    details = error.errors()
    places = [_real(tuple(each["loc"])) for each in details]
    for each, place in zip(details, places, strict=True):
        inner = [p for p in places if _is_in(p, place) and p != place]
        if each["type"] != "too_short" or not inner:
            yield place, _fault(each, place)


def _fault(details: ErrorDetails, place: Place) -> str:
    got = _got(details["input"], place)
    match details["type"]:
        case "extra_forbidden":
            return _unknown(place)
        case "missing":
            return "missing"
        case "value_error":
            return str(details["ctx"]["error"])
        case "model_type":
            return f"expected a mapping, {got}"
        case "tuple_type":
            return f"expected a list, {got}"
        case "too_short":
            return "expected at least one"
        case "string_pattern_mismatch" if "http" in str(details["ctx"]["pattern"]):
            return f"expected http:// or https://, {got}"
        case "string_pattern_mismatch" if details["ctx"]["pattern"] == ENDPOINT:
            return f"expected 1 to 63 letters, digits or inner hyphens, {got}"
        case "string_pattern_mismatch":
            return f"expected a DNS label, {got}"
    message = details["msg"].replace("Input should be", "expected")
    return f"{message}, {got}"


def _got(value: Any, place: Place) -> str:
    """Return what stands there; where a secret may, only what kind of value it is."""
    if any(_is_in(place, each) for each in MAY_BE_SECRET) and place[-1] not in OPEN:
        return f"got {type(value).__name__}"
    return f"got {value!r}"


def _unknown(place: Place) -> str:
    near = _near(place)
    if near is not None:
        return f"unknown key; did you mean {near}?"
    return f"unknown key; known are {', '.join(_keys(place[:-1]))}"


def _near(place: Place) -> str | None:
    """Return the key that an unknown one resembles most, None if it is known."""
    *path, last = place
    keys = [] if isinstance(last, int) else _keys(tuple(path))
    if last in keys:
        return None
    return next(iter(difflib.get_close_matches(str(last), keys, n=1, cutoff=0.5)), None)


def _keys(place: Place) -> list[str]:
    """Return the keys that a mapping at this place may have."""
    part: type[BaseModel] = Policy
    for step in place:
        if isinstance(step, str):
            fields = {field.alias: field for field in part.model_fields.values()}
            found = _part(fields[step].annotation)
            if found is None:  # any keys, as those of headers
                return []
            part = found
    return [str(field.alias) for field in part.model_fields.values()]


def _part(annotation: Any) -> type[BaseModel] | None:
    """Return the one Part inside an annotation such as tuple[Metric, ...], if any."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_part, getattr(annotation, "__args__", ()))), None)


def _real(place: Place) -> Place:
    """Return the place in the file, without the names of a choice's branches."""
    return tuple(step for step in place if step not in BRANCHES)
