"""Types of the policy file's values: durations in seconds, shares as fractions.

No secret stands in a policy, which a journal keeps: a value names the environment
variable or the file that holds one.
"""

import ipaddress
import math
import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

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
# What a value leaves out: ${VARIABLE} or ${file:PATH}, read when it is needed.
LEFT_OUT = re.compile(r"\$\{(file:[^{}]+|[A-Za-z_]\w*)\}")
EXPECTED = "expected ${VARIABLE} or ${file:PATH}"
KEPT = "the policy is kept in the journal, a secret must not be"
# Whose addresses are known to all: they ask for a key besides.
PUBLIC_HOSTS = ("events.pagerduty.com", "events.eu.pagerduty.com")
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


def is_left_out(value: str) -> bool:
    """Return whether nothing of a value stands in the policy."""
    return LEFT_OUT.fullmatch(value) is not None


def _address(value: str) -> str:
    """Refuse an address that may be a secret, and do not repeat it."""
    if is_left_out(value):
        return value
    if not value.startswith(("http://", "https://")):
        raise ValueError(f"expected http:// or https://, or {EXPECTED[9:]}")
    written = LEFT_OUT.sub("", value)
    is_whole = written == value
    if set("@?#") & set(written) or (is_whole and not _is_near(value)):
        raise ValueError(f"{EXPECTED} for all that may be a secret: {KEPT}")
    return value


def _is_near(url: str) -> bool:
    """Return whether a URL is of this machine or its cluster, or known to all."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        is_inside = host.endswith((".svc", ".cluster.local")) or "." not in host
        return is_inside or host in PUBLIC_HOSTS


def _link(value: str) -> str:
    if not value.startswith(("http://", "https://")) or "@" in value:
        raise ValueError("expected http:// or https://, and no user")
    return value


def _key(value: Any) -> str:
    if not isinstance(value, str) or not is_left_out(value):
        raise ValueError(f"{EXPECTED}: {KEPT}")
    return value


Address = Annotated[str, AfterValidator(_address)]
Link = Annotated[str, AfterValidator(_link)]
Key = Annotated[str, BeforeValidator(_key)]
Seconds = Annotated[float, BeforeValidator(_seconds)]
SomeSeconds = Annotated[Seconds, AfterValidator(_positive)]
Share = Annotated[float, BeforeValidator(fraction), Field(gt=0, lt=1)]
Probability = Annotated[float, BeforeValidator(fraction), Field(gt=0, le=0.5)]
Percent = Annotated[int, Field(strict=True, ge=1, le=99)]
Look = Annotated[Literal["auto"] | float, BeforeValidator(_look)]
BRANCHES = ("word", "value")
Word = Annotated[Literal["auto"], Tag("word")]
Choice = Discriminator(lambda value: BRANCHES[not isinstance(value, str)])
ENDPOINT = r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$"  # SageMaker's names
Name = Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$")]


class Part(BaseModel):
    """A mapping of the file: keys in camel case, unknown ones refused."""

    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", frozen=True, allow_inf_nan=False
    )


def _period(seconds: float) -> float:
    if seconds not in (1, 5, 10, 20, 30) and seconds % 60:
        raise ValueError("expected 1, 5, 10, 20, 30 seconds or whole minutes")
    return seconds


class Periods(Part):
    """CloudWatch's periods: their length, and how long after its end each is read."""

    period: Annotated[SomeSeconds, AfterValidator(_period)] = 60.0  # without more asked
    # By hand: later points are rare, and each look is that much older.
    lag: SomeSeconds = 120.0
