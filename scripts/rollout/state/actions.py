"""People's requests, the rollout's actions, and their results: plain values."""

from dataclasses import dataclass
from enum import StrEnum

# The verb of a request that could not be read.
UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Request:
    """A person's request, the reason given, and `by` whom, as their machine says.

    What a cluster's API server knows of them is in its audit log.
    """

    verb: str
    reason: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Warmed:
    """The result of one round of warm-up: requests sent, and how many of them failed.

    `slow`: of those that did not fail, how many took longer than was asked. `pods` and
    `protocols` answered; `p50_ms` is the median of all answers. `refused` is what was
    answered where every answer refused the request.
    """

    sent: int
    failed: int
    slow: int = 0
    pods: int = 1
    protocols: tuple[str, ...] = ()
    p50_ms: float = 0.0
    refused: tuple[str, ...] = ()


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
    """Send one round of requests to the canary, where no user's request goes.

    `requests` is the number to each pod by each protocol. An answer is slow from
    `slow_s` on, none is if that is 0. `path` and `body` are the policy's own request,
    instead of one by each protocol.
    """

    requests: int
    slow_s: float = 0.0
    path: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True)
class Consult:
    """Ask a hook whether the canary may have a weight; the answer comes later."""

    hook: str
    weight: int


Action = SetPercent | WarmUp | Consult
