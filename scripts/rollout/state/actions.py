"""People's requests, the rollout's actions, and their results: plain values."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Request:
    """A person's request, and the reason given."""

    verb: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Warmed:
    """The result of a warm-up: requests sent, and how many of them failed."""

    sent: int
    failed: int


class Says(StrEnum):
    """A hook's verdict."""

    YES = "yes"
    NO = "no"
    NOT_YET = "not yet"


@dataclass(frozen=True, slots=True)
class Answer:
    """A hook's verdict on a weight in percent, and its reason."""

    hook: str
    weight: int
    says: Says
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SetPercent:
    """Set the canary's weight in percent; None promotes it."""

    percent: int | None


@dataclass(frozen=True, slots=True)
class WarmUp:
    """Send requests to the canary, where no user's request goes."""

    requests: int


@dataclass(frozen=True, slots=True)
class Consult:
    """Ask a hook whether the canary may have a weight; the answer comes later."""

    hook: str
    weight: int


Action = SetPercent | WarmUp | Consult
