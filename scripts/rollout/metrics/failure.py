"""Words for a server that does not answer, the same for one reason every time."""

import re

from urllib3.exceptions import HTTPError, NewConnectionError, TimeoutError

# What the library puts before its reason: where it asked, and an object's address.
PLACE = re.compile(
    r"^(?:<[^>]*>: )?(?:HTTPS?Connection(?:Pool)?\([^)]*\): )?"
    r"(?:Failed to establish a new connection: )?"
)


def why(error: HTTPError) -> str:
    """Return the reason, such as: Connection refused."""
    is_refused = isinstance(error, NewConnectionError)
    if isinstance(error, TimeoutError) and not is_refused:
        return "no answer in time"
    said = PLACE.sub("", " ".join(str(error).split()))
    return re.sub(r"\[Errno -?\d+\] ", "", said)
