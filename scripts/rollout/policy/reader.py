"""Reads a policy file and reports every fault of it at once, each with its line."""

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from scripts.rollout.errors import PolicyError
from scripts.rollout.policy.policy import Policy
from scripts.rollout.policy.values import BRANCHES

Place = tuple[str | int, ...]


def read(path: Path) -> Policy:
    """Read a policy file. Raises PolicyError with one line per fault."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise PolicyError(f"{path}: {reason}") from error
    return parse(text, str(path))


def parse(text: str, name: str = "policy") -> Policy:
    """Parse a policy; `name` stands for the text in messages. Raises PolicyError."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise PolicyError(
            f"{name}: not YAML: {' '.join(str(error).split())}"
        ) from error
    if not isinstance(content, dict) or root is None:
        raise PolicyError(f"{name}:1: expected a mapping with target, got {content!r}")
    lines = dict(_lines(root, ()))
    faults = list(_repeated(root, ()))
    try:
        found = Policy.model_validate(content)
    except ValidationError as error:
        faults += _faults(error)
    else:
        faults += _conflicts(found)
    if faults:
        said = sorted(
            {(_line(place, lines), _said(place, fault)) for place, fault in faults}
        )
        raise PolicyError("\n".join(f"{name}:{line}: {fault}" for line, fault in said))
    return found


def _conflicts(policy: Policy) -> Iterator[tuple[Place, str]]:
    """Yield the faults between keys that are valid by themselves, with their places."""
    names = [metric.name for metric in policy.metrics]
    for position, name in enumerate(names):
        if name in names[:position]:
            yield ("metrics", position, "name"), f"a second {name!r}"
    if not any(metric.is_gate for metric in policy.metrics):
        yield ("metrics",), "no metric with a budget decides: no gate could ever open"
    if names[0] != "errors":
        yield ("metrics", 0, "name"), "expected errors first: maxErrorRate is theirs"
    if policy.counted_by not in policy.backend.counted_by:
        expected = " or ".join(policy.backend.counted_by)
        backend = policy.target.backend
        yield ("source", "counts"), f"with backend {backend} expected {expected}"
    deadlines = policy.deadlines
    if deadlines.metrics_silence < 2 * policy.source.interval:
        yield ("deadlines", "metricsSilence"), "expected two intervals or more"
    if deadlines.rollout < deadlines.step:
        yield ("deadlines", "rollout"), "expected no less than deadlines.step"
    if policy.dwell_s > deadlines.step:
        yield ("dwell",), "expected less than deadlines.step"
    for position, metric in enumerate(policy.metrics):
        if metric.promql is not None and policy.source.prometheus is None:
            yield ("metrics", position, "promql"), "needs source.prometheus"
        for kind in ("shadow", "feedback"):
            if getattr(metric, kind) is not None and policy.shadow is None:
                expected = "needs shadow: both arms must have answered the same texts"
                yield ("metrics", position, kind), expected
    yield from _conflicts_of_steps(policy)


def _conflicts_of_steps(policy: Policy) -> Iterator[tuple[Place, str]]:
    steps = policy.steps
    if steps == "auto":
        if policy.pause_at:
            yield ("pauseAt",), "needs steps that are given, not auto"
        return
    if list(steps) != sorted(set(steps)):
        yield ("steps",), f"expected rising percents, got {list(steps)}"
    elif steps[-1] > policy.bake.percent:
        yield ("bake", "percent"), f"expected at least the last step, {steps[-1]}"
    for position, percent in enumerate(policy.pause_at):
        if percent not in steps:
            yield ("pauseAt", position), f"{percent} is not one of the steps"


def _faults(error: ValidationError) -> Iterator[tuple[Place, str]]:
    """Yield faults by place; a list that its own faults emptied is not reported too."""
    details = error.errors()
    places = [_real(tuple(each["loc"])) for each in details]
    for each, place in zip(details, places, strict=True):
        inner = [p for p in places if p[: len(place)] == place and p != place]
        if each["type"] != "too_short" or not inner:
            yield place, _fault(each, place)


def _fault(details: ErrorDetails, place: Place) -> str:
    value = details["input"]
    match details["type"]:
        case "extra_forbidden":
            return _unknown(place)
        case "missing":
            return "missing"
        case "value_error":
            return str(details["ctx"]["error"])
        case "model_type":
            return f"expected a mapping, got {value!r}"
        case "tuple_type":
            return f"expected a list, got {value!r}"
        case "too_short":
            return "expected at least one"
        case "string_pattern_mismatch" if "http" in str(details["ctx"]["pattern"]):
            return f"expected http:// or https://, got {value!r}"
        case "string_pattern_mismatch":
            return f"expected a DNS label, got {value!r}"
    message = details["msg"].replace("Input should be", "expected")
    return f"{message}, got {value!r}"


def _unknown(place: Place) -> str:
    keys = _keys(place[:-1])
    near = difflib.get_close_matches(str(place[-1]), keys, n=1, cutoff=0.5)
    if near:
        return f"unknown key; did you mean {near[0]}?"
    return f"unknown key; known are {', '.join(keys)}"


def _keys(place: Place) -> list[str]:
    """Return the keys that a mapping at this place may have."""
    part: type[BaseModel] = Policy
    for step in place:
        if isinstance(step, str):
            fields = {field.alias: field for field in part.model_fields.values()}
            part = _part(fields[step].annotation)
    return [str(field.alias) for field in part.model_fields.values()]


def _part(annotation: Any) -> type[BaseModel]:
    """Return the one Part inside an annotation such as tuple[Metric, ...]."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(_part(each) for each in annotation.__args__ if each is not Ellipsis)


def _said(place: Place, fault: str) -> str:
    path = "".join(
        f"[{step}]" if isinstance(step, int) else f".{step}" for step in place
    )
    return f"{path.lstrip('.')}: {fault}" if path else fault


def _real(place: Place) -> Place:
    """Return the place in the file, without the names of a choice's branches."""
    return tuple(step for step in place if step not in BRANCHES)


def _line(place: Place, lines: dict[Place, int]) -> int:
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 1)


def _lines(node: yaml.Node, place: Place) -> Iterator[tuple[Place, int]]:
    for step, mark, child in _children(node):
        yield (*place, step), mark
        yield from _lines(child, (*place, step))


def _children(node: yaml.Node) -> Iterator[tuple[str | int, int, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield str(key.value), key.start_mark.line + 1, value
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            yield position, value.start_mark.line + 1, value


def _repeated(node: yaml.Node, place: Place) -> Iterator[tuple[Place, str]]:
    seen: set[str | int] = set()
    for step, line, child in _children(node):
        if step in seen:
            yield (*place, step), f"given twice, again in line {line}"
        seen.add(step)
        yield from _repeated(child, (*place, step))
