"""Brings canaryTrafficPercent of a manifest in line with a verdict.

Pure: text to text. Comments and order stay as they are.
"""

from collections.abc import Iterator
from typing import Any

import yaml

from scripts.rollout.errors import RolloutError
from scripts.rollout.policy.backends import PERCENT_FIELD as FIELD

# A round trip through ruamel.yaml would save 40 of these lines, and write quotes and
# indentation of somebody's file anew; here one line goes and nothing else changes.

KIND = "InferenceService"


def without_percent(text: str, name: str) -> str:
    """Return the text without the field of InferenceService `name`.

    Re-applied after a promotion, the field would roll back. Raises RolloutError.
    """
    found = list(_fields(text, name))
    lines = text.splitlines(keepends=True)
    for key, value in reversed(found):
        del lines[key.start_mark.line : value.end_mark.line + 1]
    changed = "".join(lines)
    if not _is_the_rest(changed, text) or list(_fields(changed, name)):
        raise RolloutError(f"{FIELD} stands on a line with more; remove it by hand")
    return changed


def with_zero(text: str, name: str) -> str:
    """Return the text with 0 % where InferenceService `name` has another percent.

    Re-applied after a rollback, that would be the bad version's. Raises RolloutError.
    """
    found, changed = list(_fields(text, name)), list(text)
    if not found:
        raise RolloutError(f"no {FIELD} in it, which promotes: write {FIELD}: 0")
    for _, value in reversed(found):
        changed[value.start_mark.index : value.end_mark.index] = "0"
    return "".join(changed)


def _fields(text: str, name: str) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    """Yield the field's key and value nodes."""
    try:
        documents = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise RolloutError(f"not YAML: {' '.join(str(error).split())}") from error
    wanted = [each for each in documents if each and _names(each) == (KIND, name)]
    if not wanted:
        raise RolloutError(f"no {KIND} {name} in it")
    for document in wanted:
        predictor = _child(document, "spec", "predictor")
        if isinstance(predictor, yaml.MappingNode):
            yield from (pair for pair in predictor.value if pair[0].value == FIELD)


def _names(document: yaml.Node) -> tuple[Any, Any]:
    kind, name = _child(document, "kind"), _child(document, "metadata", "name")
    return getattr(kind, "value", None), getattr(name, "value", None)


def _child(node: yaml.Node | None, *path: str) -> yaml.Node | None:
    for step in path:
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        node = next((value for key, value in pairs if key.value == step), None)
    return node


def _is_the_rest(changed: str, text: str) -> bool:
    try:
        return _bare(changed) == _bare(text)
    except yaml.YAMLError:
        return False


def _bare(text: str) -> list[Any]:
    """Return the parsed documents without the field."""

    def bare(part: Any) -> Any:
        if not isinstance(part, dict):
            return part
        return {key: bare(value) for key, value in part.items() if key != FIELD}

    return [bare(each) for each in yaml.safe_load_all(text)]
