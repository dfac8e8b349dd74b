"""Turns what goes wrong between us and an SFTP server into errors of the hub."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from nave.connectors.dropped.errors import ours
from nave.connectors.wording import short
from nave.core.errors import ConfigError, NaveError, RetryableError

_CLOSED = "Socket is closed"
"""What paramiko says where the connection went away before it asked."""
_LOST = (EOFError, TimeoutError, ConnectionError)
_CODES: dict[int | None, tuple[type[NaveError], str]] = {
    errno.ENOENT: (RetryableError, "NAVE-K287"),
    errno.ENOTDIR: (ConfigError, "NAVE-K288"),
    errno.EACCES: (ConfigError, "NAVE-K288"),
    None: (RetryableError, "NAVE-K289"),
}
"""The server's own answers, by the numbers that paramiko gives them."""


@contextmanager
def translating(url: str) -> Iterator[None]:
    """A server that is away is tried again; missing rights are a matter of its configuration."""
    try:
        yield
    except NaveError:
        raise
    except (*_LOST, OSError, UnicodeDecodeError, _ssh()) as error:
        if ours(error):
            raise
        kind, code = _found(error)
        reason = short(error, 200) or type(error).__name__
        raise kind(code, url=short(url, 200), reason=reason) from error


def _found(error: BaseException) -> tuple[type[NaveError], str]:
    if isinstance(error, OSError) and not isinstance(error, _LOST) and error.args != (_CLOSED,):
        return _CODES.get(error.errno, (RetryableError, "NAVE-K280"))
    if isinstance(error, UnicodeDecodeError):
        return _CODES[None]
    return (RetryableError, "NAVE-K280")


def _ssh() -> type[BaseException]:
    """The root of the library's errors; of one that was never loaded none can come."""
    module = sys.modules.get("paramiko.ssh_exception")
    found: type[BaseException] = module.SSHException if module is not None else EOFError
    return found
