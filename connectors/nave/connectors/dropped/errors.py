"""Turns errors of the operating system into errors of the hub, by a table of their numbers."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nave.connectors.wording import short
from nave.core.errors import ConfigError, NaveError, RetryableError

_CODES: dict[int | None, tuple[type[NaveError], str]] = {
    errno.ENOENT: (RetryableError, "NAVE-S011"),
    errno.ENOTDIR: (ConfigError, "NAVE-S012"),
    errno.ELOOP: (ConfigError, "NAVE-S012"),
    errno.EACCES: (ConfigError, "NAVE-S013"),
    errno.EPERM: (ConfigError, "NAVE-S013"),
    errno.EROFS: (RetryableError, "NAVE-S014"),
    errno.ENOSPC: (RetryableError, "NAVE-S014"),
    errno.EDQUOT: (RetryableError, "NAVE-S014"),
    errno.EXDEV: (ConfigError, "NAVE-S015"),
}
_OTHERWISE = (RetryableError, "NAVE-S016")
_OURS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.EXDEV, errno.ELOOP})
"""What only this machine's own disk can say, where another one is spoken to."""


def ours(error: BaseException) -> bool:
    """Whether an error that came up while a server was spoken to is one of this machine's disk."""
    return isinstance(error, OSError) and error.errno in _OURS


@contextmanager
def translating(folder: Path) -> Iterator[None]:
    """A missing folder or a full disk may heal and is tried again; a wrong kind of file or missing rights do not."""
    try:
        yield
    except OSError as error:
        kind, code = _CODES.get(error.errno, _OTHERWISE)
        reason = os.strerror(error.errno) if error.errno else short(error)
        raise kind(code, folder=short(folder, 200), reason=reason) from error


@contextmanager
def translating_ledger(folder: Path) -> Iterator[None]:
    """The ledger of a sink: another hub that writes to it, or a disk that is full, may go away."""
    try:
        yield
    except sqlite3.Error as error:
        raise RetryableError("NAVE-S018", folder=short(folder, 200), reason=short(error)) from error
