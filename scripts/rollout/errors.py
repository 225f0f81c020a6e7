"""What can go wrong in a rollout, and what the command line says about it.

RolloutError         2   usage: a line that says what to do
├── PolicyError      2   the policy file is refused, every fault with its line
├── JournalError     2   a journal that cannot be trusted or understood
├── LockHeld        31   somebody else promotes this InferenceService
├── Gone            12   what is rolled out was deleted, and its journal with it
└── RemoteError     40   what is outside did not do it; traffic is as it was
    ├── Unreachable      no answer: no connection, a timeout, HTTP 5xx, 429
    └── ApiError         an answer that says no, in the API's own words
        ├── Forbidden    HTTP 401, 403: an admin may mend it
        ├── NotFound     HTTP 404
        └── Conflict     HTTP 409: somebody else has written meanwhile
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


class Gone(RolloutError):
    """What is rolled out was deleted, and its journal with it."""

    code = Exit.ABORTED


class RemoteError(RolloutError):
    """Something outside this process did not do what it was asked."""

    code = Exit.UNREACHABLE


class Unreachable(RemoteError):
    """Something outside did not answer, or only that it cannot now."""


class ApiError(RemoteError):
    """An API answered, and said no."""

    def __init__(self, status: int, message: str) -> None:
        """`status` is HTTP's, `message` the API's own sentence."""
        super().__init__(message)
        self.status = status


class Forbidden(ApiError):
    """This account may not do it, or the API does not know the account."""


class NotFound(ApiError):
    """There is no such object."""


class Conflict(ApiError):
    """The object is not, or no longer, as the writer read it."""
