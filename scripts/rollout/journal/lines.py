"""Appends lines to files, whole or not at all."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO


@contextmanager
def whole(file: FileIO) -> Iterator[None]:
    """Cut off what the block has written if the disk refuses a part of it.

    The file has no buffer: that would be written once more when the file is closed.
    """
    before = os.fstat(file.fileno()).st_size
    try:
        yield
    except OSError:
        os.ftruncate(file.fileno(), before)
        raise


def write(file: FileIO, line: str) -> None:
    """Append one line. Raises OSError, also where there was room for a part of it."""
    content = f"{line}\n".encode()
    if file.write(content) != len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def end(file: FileIO) -> None:
    """End a line in which its writer was killed, so that the next one is not lost."""
    if file.seek(0, os.SEEK_END):
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            file.write(b"\n")
