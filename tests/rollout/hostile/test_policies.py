"""A policy file made to harm is one clear line, at once."""

import re
from pathlib import Path

import pytest

from scripts.rollout.errors import Exit, PolicyError
from scripts.rollout.policy.reader import LONGEST_TOLD, MOST_TOLD, parse, read
from scripts.yaml_text import MOST_BYTES

NINE = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
NINE += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
HOSTILE = {
    "an alias bomb": ("\n".join(NINE), "line 1: anchors are not read"),
    "itself": ("a: &a [*a]", "line 1: anchors are not read"),
    "a merge": ("a: &a {b: 1}\nc: {<<: *a}", "line 1: anchors are not read"),
    "brackets": ("[" * 3000, "nested more than"),
    "maps": ("{a: " * 3000, "nested more than"),
    "blocks": ("\n".join(" " * n + "a:" for n in range(300)), "nested more than"),
    "10 MB": ("a: 1\n" * 2_000_000, f"expected at most {MOST_BYTES} bytes"),
    "a command": ("a: !!python/object/apply:os.system [x]", "not YAML"),
    "a NUL": ("a: \0", "not YAML"),
    "a date that is none": ("a: 2026-99-99", "not YAML"),
    "digits": ("a: " + "9" * 5000, "not YAML"),
    "text": ("x" * 9000, "expected a mapping with target"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_policy_is_one_line(kind: str) -> None:
    text, why = HOSTILE[kind]
    with pytest.raises(PolicyError) as fault:
        parse(text, "rollout.yaml")
    assert why in str(fault.value)
    assert "\n" not in str(fault.value)
    assert len(str(fault.value)) < 400
    assert fault.value.code is Exit.USAGE


def test_many_faults_are_told_up_to_a_number() -> None:
    text = "".join(f"key{n}: 1\n" for n in range(2000))
    with pytest.raises(PolicyError) as fault:
        parse(text, "rollout.yaml")
    lines = str(fault.value).splitlines()
    assert len(lines) == MOST_TOLD + 1
    assert lines[-1].endswith("faults in all")


@pytest.mark.parametrize(
    "text",
    [
        f"version: {'x' * 100_000}",
        f"target: {{inferenceservice: {'x' * 100_000}}}",
        f"? {'x' * 100_000}\n: 1",
        f'"a{chr(92)}nb{chr(92)}n": 1',
    ],
)
def test_what_a_policy_says_is_told_up_to_a_number(text: str) -> None:
    with pytest.raises(PolicyError) as fault:
        parse(text, "rollout.yaml")
    lines = str(fault.value).splitlines()
    assert all(re.match(r"rollout\.yaml:\d+: ", line) for line in lines)
    assert max(map(len, lines)) <= LONGEST_TOLD


def test_a_file_without_end_is_not_read_to_it() -> None:
    with pytest.raises(PolicyError, match="expected at most"):
        read(Path("/dev/zero"))
