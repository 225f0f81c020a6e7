"""Reads a policy file and reports every fault of it at once, each with its line."""

from collections.abc import Iterator
from pathlib import Path

import yaml

from scripts import yaml_text
from scripts.rollout.errors import PolicyError
from scripts.rollout.policy.faults import find
from scripts.rollout.policy.policy import Policy
from scripts.yaml_text import Place

MOST_TOLD = 50
LONGEST_TOLD = 600  # characters of each: keys and values are anybody's


def read(path: Path) -> Policy:
    """Read a policy file. Raises PolicyError with one line per fault."""
    try:
        with path.open("rb") as file:
            text = file.read(yaml_text.MOST_BYTES + 1).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise PolicyError(f"{path}: {reason}") from error
    return parse(text, str(path))


def parse(text: str, name: str = "policy") -> Policy:
    """Parse a policy; `name` stands for the text in messages. Raises PolicyError."""
    try:
        yaml_text.check(text)
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
    faults = list(yaml_text.repeated(root))
    found, others = find(content)
    faults += others
    if faults:
        said = sorted(
            {
                (_line(place, lines), yaml_text.said(place, fault))
                for place, fault in faults
            }
        )
        told = [
            f"{name}:{line}: {' '.join(fault.split())}"[:LONGEST_TOLD]
            for line, fault in said[:MOST_TOLD]
        ]
        more = [f"{name}: {len(said)} faults in all"] * (len(said) > MOST_TOLD)
        raise PolicyError("\n".join(told + more))
    assert found is not None
    return found


def is_placed(policy: Policy) -> bool:
    """Return whether the policy file names the target's namespace."""
    return "namespace" in policy.target.model_fields_set


def placed(policy: Policy, namespace: str) -> Policy:
    """Return the policy in this namespace, unless its file names another."""
    if is_placed(policy):
        return policy
    target = policy.target.model_copy(update={"namespace": namespace})
    return policy.model_copy(update={"target": target})


def _line(place: Place, lines: dict[Place, int]) -> int:
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 1)


def _lines(node: yaml.Node, place: Place) -> Iterator[tuple[Place, int]]:
    for step, mark, child in yaml_text.children(node):
        yield (*place, step), mark
        yield from _lines(child, (*place, step))
