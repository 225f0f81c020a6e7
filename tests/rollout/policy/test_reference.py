"""docs/policy.md and manifests/rollout.yaml have every key and default, no other."""

import re
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
import yaml
from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from scripts.local.processes import ROOT
from scripts.rollout.policy.metric import DEFAULT_METRICS
from scripts.rollout.policy.policy import Policy
from scripts.rollout.policy.reader import parse, read

PAGE = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
SHIPPED = ROOT / "manifests" / "rollout.yaml"
ROWS = dict(re.findall(r"^\| `([\w.\[\]*]+)` \| (.*?) \|", PAGE, re.MULTILINE))
SMALLEST = parse("target: {inferenceservice: intent}", "two lines")
# Their default depends on other keys: what it comes to with fixed steps, in local mode.
EFFECTIVE: dict[str, object] = {
    "carryFrom": SMALLEST.carried_from,
    "deadlines.metricsSilence": SMALLEST.metrics_silence_s,
    "deadlines.rollback": SMALLEST.rollback_s,
    "dwell": SMALLEST.dwell_s,
    "guards.readyTimeout": SMALLEST.ready_timeout_s,
    "source.counts": SMALLEST.counted_by,
    "source.interval": SMALLEST.interval_s,
}
ELSEWHERE = ("metrics",)  # its default is a block of its own


def _parts(annotation: Any) -> Iterator[tuple[type[BaseModel], bool]]:
    """Mappings inside an annotation, and whether they stand in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, False
        return
    is_list = getattr(annotation, "__origin__", None) is tuple
    for each in getattr(annotation, "__args__", ()):
        for part, _ in _parts(each):
            yield part, is_list


def _fields(part: type[BaseModel], place: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every key with its place in the file; the three hooks are one."""
    for field in part.model_fields.values():
        key = f"{place}{field.alias}"
        yield key, field
        for inner, is_list in _parts(field.annotation):
            within = re.sub(r"^hooks\.\w+$", "hooks.*", key)
            yield from _fields(inner, f"{within}{'[]' if is_list else ''}.")


FIELDS = dict(_fields(Policy))


def test_the_page_has_every_key_and_no_other() -> None:
    assert sorted(ROWS) == sorted(FIELDS)


@pytest.mark.parametrize("key", [key for key in FIELDS if key not in ELSEWHERE])
def test_the_page_says_the_default(key: str) -> None:
    field, said = FIELDS[key], ROWS[key].strip("`")
    if field.is_required():
        assert said == "required"
        return
    expected = EFFECTIVE.get(key, field.default)
    assert _kind(field).validate_python(yaml.safe_load(said)) == expected


def _kind(field: FieldInfo) -> TypeAdapter[Any]:
    """What a key's values are read by."""
    annotation: Any = field.annotation
    if field.metadata:
        annotation = Annotated[(annotation, *field.metadata)]
    return TypeAdapter(annotation)


def test_the_pages_block_of_metrics_is_the_default() -> None:
    block = re.findall(r"^```yaml\n(metrics:.*?)^```", PAGE, re.M | re.S)[0]
    page = parse(f"target: {{inferenceservice: intent}}\n{block}", "the page")
    assert page.metrics == DEFAULT_METRICS


def test_every_block_of_the_page_is_a_policy() -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.M | re.S)
    assert len(blocks) >= 3
    for block in blocks:
        target = "" if "target:" in block else "target: {inferenceservice: intent}\n"
        parse(target + block, "the page")


def test_the_shipped_policy_says_every_default() -> None:
    shipped = read(SHIPPED)
    waits = {"metrics_silence": SMALLEST.metrics_silence_s}
    waits |= {"rollback": SMALLEST.rollback_s}
    deadlines = SMALLEST.deadlines.model_copy(update=waits)
    ready = {"ready_timeout": SMALLEST.ready_timeout_s}
    guards = SMALLEST.guards.model_copy(update=ready)
    source = shipped.source.model_copy(update={"counts": None, "interval": None})
    assert shipped.interval_s == SMALLEST.interval_s
    own = {"guards": guards, "deadlines": deadlines}
    given = {"carry_from": shipped.carried_from, "dwell": shipped.dwell_s, **own}
    same = SMALLEST.model_copy(update=given)
    assert shipped.counted_by == SMALLEST.counted_by
    assert shipped.model_copy(update={"source": source}) == same


def test_the_shipped_policy_names_every_key() -> None:
    words = set(re.findall(r"(\w+):", SHIPPED.read_text(encoding="utf-8")))
    assert sorted({key.rpartition(".")[2] for key in FIELDS} - words) == []
