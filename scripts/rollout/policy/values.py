"""Types of the policy file's values: durations in seconds, shares as fractions."""

import math
import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
)
from pydantic.alias_generators import to_camel

# A look reads every page and writes the journal.
SHORTEST_LOOK_S = 0.2
# The units of a duration in the policy file.
UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
SHARE = re.compile(r"(\d+(?:\.\d+)?(?:e-?\d+)?)(%?)")


def _seconds(value: Any) -> float:
    match = DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(
            f"expected a duration such as 250ms, 30s, 5m or 2h, got {value!r}"
        )
    return float(match[1]) * UNITS_S[match[2]]


def fraction(value: Any) -> float:
    """Convert a share, given in percent or as a number. Raises ValueError."""
    if isinstance(value, str) and (match := SHARE.fullmatch(value)):
        return float(match[1]) / (100 if match[2] else 1)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and math.isfinite(value):
        return float(value)
    raise ValueError(f"expected a share such as 0.5% or 0.005, got {value!r}")


def _positive(value: float) -> float:
    if value <= 0:
        raise ValueError("expected more than nothing")
    return value


def _look(value: Any) -> Any:
    if value == "auto":
        return value
    seconds = _positive(_seconds(value))
    if seconds < SHORTEST_LOOK_S:
        raise ValueError(f"expected 200ms or more, got {value!r}")
    return seconds


Seconds = Annotated[float, BeforeValidator(_seconds)]
SomeSeconds = Annotated[Seconds, AfterValidator(_positive)]
Share = Annotated[float, BeforeValidator(fraction), Field(gt=0, lt=1)]
Probability = Annotated[float, BeforeValidator(fraction), Field(gt=0, le=0.5)]
Percent = Annotated[int, Field(strict=True, ge=1, le=99)]
Look = Annotated[Literal["auto"] | float, BeforeValidator(_look)]
BRANCHES = ("word", "value")
Word = Annotated[Literal["auto"], Tag("word")]
Choice = Discriminator(lambda value: BRANCHES[not isinstance(value, str)])
Name = Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$")]


class Part(BaseModel):
    """A mapping of the file: keys in camel case, unknown ones refused."""

    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", frozen=True, allow_inf_nan=False
    )
