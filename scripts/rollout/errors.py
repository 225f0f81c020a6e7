"""The errors of a rollout and their exit codes.

RolloutError         2   usage: one line that says what to do
├── NoRollout        2   no rollout of this name has begun
├── PolicyError      2   the policy file is refused, every fault with its line
├── JournalError     2   the journal is broken or of another version
├── LockHeld        31   another promoter works on the same target
├── Gone            32   the target or its journal was deleted
└── RemoteError     40   a remote call failed; traffic is as it was
    ├── Unreachable      no answer: no connection, a timeout, HTTP 5xx, 429
    └── ApiError         the API refused; the message is the API's own
        ├── Forbidden    HTTP 401, 403: an admin may grant the right
        ├── NotFound     HTTP 404
        └── Conflict     HTTP 409: another writer changed the object first
"""

from collections.abc import Mapping
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
    GONE = 32
    UNREACHABLE = 40
    UNVERIFIED = 50


class RolloutError(Exception):
    """Base: one line that says what is wrong and what to do."""

    code = Exit.USAGE


class NoRollout(RolloutError):
    """No rollout of this name has begun, or it is where nothing can be read."""


class PolicyError(RolloutError):
    """The policy file is refused; the message has one line per fault."""


class JournalError(RolloutError):
    """The journal is broken, or of another version."""


class LockHeld(RolloutError):
    """Another promoter works on the same InferenceService or HTTPRoute."""

    code = Exit.LOCKED


class Gone(RolloutError):
    """The target of the rollout, or its journal, was deleted."""

    code = Exit.GONE


class RemoteError(RolloutError):
    """A call to something outside this process failed."""

    code = Exit.UNREACHABLE


class Unreachable(RemoteError):
    """A remote party did not answer, or reported that it cannot answer now."""


class ApiError(RemoteError):
    """An API answered and refused."""

    def __init__(self, status: int, message: str) -> None:
        """Keep the HTTP `status`; `message` is the API's own sentence."""
        super().__init__(message)
        self.status = status


class Forbidden(ApiError):
    """This account lacks the right, or the API does not know the account."""


class NotFound(ApiError):
    """The object does not exist."""


class Conflict(ApiError):
    """The object has changed since the writer read it (optimistic locking)."""


BY_STATUS: Mapping[int, type[ApiError]] = {
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
}


def refusal(status: int, message: str) -> RemoteError:
    """Return the error for an HTTP status of 400 or more."""
    if status >= 500 or status == 429:
        return Unreachable(message)
    return BY_STATUS.get(status, ApiError)(status, message)
