"""What is asked for, what is done, and what comes back of it: plain values."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asked for, and why."""

    verb: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Warmed:
    """How the warm-up went."""

    sent: int
    failed: int


class Says(StrEnum):
    """What a hook says."""

    YES = "yes"
    NO = "no"
    NOT_YET = "not yet"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a hook said when it was asked about a weight, and its reason."""

    hook: str
    weight: int
    says: Says
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SetPercent:
    """Ask for the canary's weight in percent; None promotes it."""

    percent: int | None


@dataclass(frozen=True, slots=True)
class WarmUp:
    """Send requests to the canary's tag host."""

    requests: int


@dataclass(frozen=True, slots=True)
class Consult:
    """Ask a hook whether the canary may have a weight; the answer comes later."""

    hook: str
    weight: int


Action = SetPercent | WarmUp | Consult
