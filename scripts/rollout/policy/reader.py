"""Reads a policy file and reports every fault of it at once, each with its line."""

from collections.abc import Iterator
from pathlib import Path

import yaml

from scripts.rollout.errors import PolicyError
from scripts.rollout.policy.conflicts import Place
from scripts.rollout.policy.faults import find
from scripts.rollout.policy.policy import Policy

MOST_BYTES = 256 * 1024  # the largest known policy has 5 KiB
DEEPEST, MOST_TOLD = 32, 50
OPEN = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
CLOSED = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)


def read(path: Path) -> Policy:
    """Read a policy file. Raises PolicyError with one line per fault."""
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise PolicyError(f"{path}: {reason}") from error
    return parse(text, str(path))


def parse(text: str, name: str = "policy") -> Policy:
    """Parse a policy; `name` stands for the text in messages. Raises PolicyError."""
    try:
        _check(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # of a date or number that is none
        raise PolicyError(
            f"{name}: not YAML: {' '.join(str(error).split())}"
        ) from error
    if not isinstance(content, dict) or root is None:
        raise PolicyError(
            f"{name}:1: expected a mapping with target, got {content!r:.80}"
        )
    lines = dict(_lines(root, ()))
    faults = list(_repeated(root, ()))
    found, others = find(content)
    faults += others
    if faults:
        said = sorted(
            {(_line(place, lines), _said(place, fault)) for place, fault in faults}
        )
        told = [f"{name}:{line}: {fault}" for line, fault in said[:MOST_TOLD]]
        more = [f"{name}: {len(said)} faults in all"] * (len(said) > MOST_TOLD)
        raise PolicyError("\n".join(told + more))
    assert found is not None
    return found


def _check(text: str) -> None:
    """Refuse what grows when it is read. Raises YAMLError."""
    if len(text) > MOST_BYTES:
        raise yaml.YAMLError(f"expected at most {MOST_BYTES} bytes")
    depth = 0
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        if isinstance(token, yaml.AnchorToken | yaml.AliasToken):
            line = token.start_mark.line + 1
            raise yaml.YAMLError(f"line {line}: anchors are not read; write it out")
        depth += isinstance(token, OPEN) - isinstance(token, CLOSED)
        if depth > DEEPEST:
            line = token.start_mark.line + 1
            raise yaml.YAMLError(f"line {line}: nested more than {DEEPEST} deep")


def is_placed(policy: Policy) -> bool:
    """Return whether the policy file names the target's namespace."""
    return "namespace" in policy.target.model_fields_set


def placed(policy: Policy, namespace: str) -> Policy:
    """Return the policy in this namespace, unless its file names another."""
    if is_placed(policy):
        return policy
    target = policy.target.model_copy(update={"namespace": namespace})
    return policy.model_copy(update={"target": target})


def _said(place: Place, fault: str) -> str:
    path = "".join(
        f"[{step}]" if isinstance(step, int) else f".{step}" for step in place
    )
    return f"{path.lstrip('.')}: {fault}" if path else fault


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
