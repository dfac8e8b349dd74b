"""Turns what goes wrong between us and an FTP server into errors of the hub."""

from __future__ import annotations

import ftplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from nave.connectors.dropped.errors import ours
from nave.connectors.wording import short
from nave.core.errors import ConfigError, NaveError, RetryableError

_LOST = (EOFError, TimeoutError, ConnectionError, ftplib.error_proto)


@contextmanager
def translating(url: str) -> Iterator[None]:
    """A server that is away is tried again; missing rights and certificates are a matter of configuration."""
    try:
        yield
    except NaveError:
        raise
    except (*_LOST, ftplib.Error, OSError, ValueError) as error:
        if ours(error):
            raise
        kind, code = _found(error)
        reason = short(error, 200) or type(error).__name__
        raise kind(code, url=short(url, 200), reason=reason) from error


def _found(error: Exception) -> tuple[type[NaveError], str]:
    return next(((kind, code) for one, kind, code in _CODES if isinstance(error, one)), (RetryableError, "NAVE-K280"))


_CODES: tuple[tuple[type[Exception] | tuple[type[Exception], ...], type[NaveError], str], ...] = (
    (ssl.SSLCertVerificationError, ConfigError, "NAVE-K285"),
    (_LOST, RetryableError, "NAVE-K280"),
    (FileNotFoundError, RetryableError, "NAVE-K287"),
    (PermissionError, ConfigError, "NAVE-K288"),
    (NotADirectoryError, ConfigError, "NAVE-K288"),
    ((ftplib.Error, ValueError), RetryableError, "NAVE-K289"),
)
"""In the order of asking: a certificate's error is also one of the connection."""
