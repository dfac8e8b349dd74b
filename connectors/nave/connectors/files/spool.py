"""The hub's own copies of what lies on a server: fetched whole before they are read, gone once they are put away.

A copy carries the server's time of the file it was made from, and a part of one has size and time in its name: so a
later run knows whether what it finds is still of the same file, and goes on where the last one was cut off.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress

from nave.connectors.dropped.room import Room
from nave.connectors.files.share import Far, FarFolder
from nave.core.errors import RetryableError

_PART = ".part"


def fetch(claimed: FarFolder, spool: Room, name: str, seconds: float) -> bool:
    """Make a copy of a claimed file, whole; false where somebody still wrote to it.

    RetryableError where it takes longer than `seconds` (what was fetched is kept, and the next try goes on), and where the
    server gives fewer bytes than it says there are.
    """
    before = claimed.stat(name)
    if before is None:
        return False
    if _is_copy(spool, name, before):
        return True
    part = f"{name}.{before.st_size}-{before.st_mtime_ns}{_PART}"
    _clear(spool, name, keep=part)
    try:
        _download(claimed, spool, name, part, before.st_size, seconds)
    except BlockingIOError:
        return False
    got = spool.stat(part)
    found = got.st_size if got is not None else 0
    if found != before.st_size:
        spool.remove(part)
    if claimed.stat(name) != before:
        return False
    if found != before.st_size:
        raise RetryableError("NAVE-K296", name=name, found=found, wanted=before.st_size)
    os.utime(part, ns=(before.st_mtime_ns, before.st_mtime_ns), dir_fd=spool.fd, follow_symlinks=False)
    spool.rename(part, spool, name)
    spool.sync()
    return True


def is_current(claimed: FarFolder, spool: Room, name: str) -> bool:
    """Whether the file on the server still is what the copy was made from."""
    there = claimed.stat(name)
    return there is not None and _is_copy(spool, name, there)


def forget(spool: Room, name: str) -> None:
    """Remove a copy and what there is of others of that name."""
    spool.remove(name)
    _clear(spool, name, keep=None)


def _is_copy(spool: Room, name: str, there: Far) -> bool:
    copy = spool.stat(name)
    return copy is not None and (copy.st_size, copy.st_mtime_ns) == (there.st_size, there.st_mtime_ns)


def _clear(spool: Room, name: str, keep: str | None) -> None:
    for other in spool.names():
        if other.startswith(f"{name}.") and other.endswith(_PART) and other != keep:
            spool.remove(other)


def _download(claimed: FarFolder, spool: Room, name: str, part: str, size: int, seconds: float) -> None:
    end = time.monotonic() + seconds
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(part, flags, 0o600, dir_fd=spool.fd), "ab") as file:
        start = file.tell()
        if start > size:
            start = 0
            file.truncate(0)
        try:
            for piece in claimed.share.get(f"{claimed.path}/{name}", start, size):
                start += len(piece)
                if start > size:
                    break  # it grows: somebody writes to it
                file.write(piece)
                if time.monotonic() > end:
                    raise RetryableError("NAVE-K295", name=name, seconds=round(seconds))
        finally:
            with suppress(ValueError):
                file.flush()
                os.fsync(file.fileno())
