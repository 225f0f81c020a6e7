"""What can go wrong in a rollout, and what the command line says about it.

RolloutError         2   usage: a line that says what to do
├── PolicyError      2   the policy file is refused, every fault with its line
├── JournalError     2   a journal that cannot be trusted or understood
├── LockHeld        31   somebody else promotes this InferenceService
└── Unreachable     40   metrics or the API do not answer; traffic is as it was
    └── Refused     40   the API answers, and refuses
"""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of `python -m scripts.canary`."""

    PROMOTED = 0
    USAGE = 2
    ROLLED_BACK = 10
    GUARD = 11
    ABORTED = 12
    HELD = 20
    PAUSED = 21
    SUPERSEDED = 30
    LOCKED = 31
    UNREACHABLE = 40
    UNVERIFIED = 50


class RolloutError(Exception):
    """Base: one line that says what is wrong and what to do."""

    code = Exit.USAGE


class PolicyError(RolloutError):
    """The policy file is refused; one line a fault."""


class JournalError(RolloutError):
    """A journal is broken, or of another version."""


class LockHeld(RolloutError):
    """Another promoter works on the same InferenceService."""

    code = Exit.LOCKED


class Unreachable(RolloutError):
    """Something outside did not answer."""

    code = Exit.UNREACHABLE


class Refused(Unreachable):
    """An API answered with an error; `status` is HTTP's."""

    def __init__(self, said: str, status: int) -> None:
        """Say what it said."""
        super().__init__(said)
        self.status = status
