"""Turns what goes wrong between us and an SMB server into errors of the hub."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from nave.connectors.dropped.errors import ours
from nave.connectors.wording import short
from nave.core.errors import ConfigError, NaveError, RetryableError

_CODES: tuple[tuple[type[BaseException], type[NaveError], str], ...] = (
    (FileNotFoundError, RetryableError, "NAVE-K287"),
    (PermissionError, ConfigError, "NAVE-K288"),
    (NotADirectoryError, ConfigError, "NAVE-K288"),
    (FileExistsError, RetryableError, "NAVE-K289"),
    (BlockingIOError, RetryableError, "NAVE-K289"),
)


@contextmanager
def translating(url: str) -> Iterator[None]:
    """A server that is away is tried again; missing rights are a matter of its configuration."""
    try:
        yield
    except NaveError:
        raise
    except Exception as error:
        if not isinstance(error, (OSError, EOFError, ValueError, *_kinds())) or ours(error):
            raise
        kind, code = _found(error)
        reason = short(error, 200) or type(error).__name__
        raise kind(code, url=short(url, 200), reason=reason) from error


def _found(error: BaseException) -> tuple[type[NaveError], str]:
    answer = RetryableError, "NAVE-K289"
    known = next(((kind, code) for one, kind, code in _CODES if isinstance(error, one)), None)
    return known or (answer if isinstance(error, _kinds()[1:]) else (RetryableError, "NAVE-K280"))


def _kinds() -> tuple[type[BaseException], ...]:
    """The root of the library's errors, and of the server's answers among them; of one that was never loaded none come."""
    module = sys.modules.get("smbprotocol.exceptions")
    return (module.SMBException, module.SMBResponseException) if module is not None else ()
