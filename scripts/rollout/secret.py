"""Reads what a policy leaves out; anew each time, so that it may be renewed."""

import os
from pathlib import Path

from scripts.rollout.errors import Unreachable
from scripts.rollout.policy.values import LEFT_OUT

FILE = "file:"
HIDDEN = "***"


def filled(place: str, value: str) -> str:
    """Return a value of the policy, at this place, with what it leaves out.

    Raises Unreachable where that cannot be read; it is never part of the message.
    """
    return LEFT_OUT.sub(lambda found: _read(place, found[1]), value)


def hidden(text: str, place: str, value: str) -> str:
    """Return a text in which what a value leaves out is not to be read."""
    for found in LEFT_OUT.finditer(value):
        kept = _read(place, found[1])
        # A URL's path may be said without its host, as errors do.
        address, _, path = kept.partition("://")[2].partition("/")
        user = address.rpartition("@")[0]
        for part in filter(None, (kept, path, user)):
            text = text.replace(part, HIDDEN)
    return text


def _read(place: str, name: str) -> str:
    if name.startswith(FILE):
        return of_file(place, name.removeprefix(FILE))
    return of_variable(place, name)


def of_variable(place: str, name: str) -> str:
    """Return an environment variable. Raises Unreachable."""
    return _line(f"{place}: variable {name}", os.environ.get(name, ""))


def of_file(place: str, path: str) -> str:
    """Return the one line of a file. Raises Unreachable."""
    try:
        found = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise Unreachable(f"{place}: file {path}: {reason}") from None
    return _line(f"{place}: file {path}", found)


def _line(what: str, found: str) -> str:
    if not found or not (found.isascii() and found.isprintable()):
        raise Unreachable(f"{what}: expected one line of ASCII")
    return found
