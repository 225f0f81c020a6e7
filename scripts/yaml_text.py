"""Reads YAML that somebody else wrote; what would grow when it is read is refused."""

from collections.abc import Iterator

import yaml

Place = tuple[str | int, ...]
MOST_BYTES = 256 * 1024  # the largest known policy has 5 KiB
DEEPEST = 32
OPEN = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
CLOSED = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)


def check(text: str) -> None:
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


def children(node: yaml.Node) -> Iterator[tuple[str | int, int, yaml.Node]]:
    """Yield each key or position, its line from 1 on, and what stands there."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield str(key.value), key.start_mark.line + 1, value
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            yield position, value.start_mark.line + 1, value


def repeated(node: yaml.Node, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """Yield each key that a mapping has twice, of which YAML would keep the last."""
    seen: set[str | int] = set()
    for step, line, child in children(node):
        if step in seen:
            yield (*place, step), f"given twice, again in line {line}"
        seen.add(step)
        yield from repeated(child, (*place, step))


def said(place: Place, fault: str) -> str:
    """Return a fault with the path to its field."""
    path = "".join(
        f"[{step}]" if isinstance(step, int) else f".{step}" for step in place
    )
    return f"{path.lstrip('.')}: {fault}" if path else fault
