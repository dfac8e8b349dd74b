"""Turns what goes wrong between us and mail servers into errors of the hub."""

from __future__ import annotations

import errno
import imaplib
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from nave.connectors.wording import short
from nave.core.errors import ConfigError, NaveError, RetryableError

_Row = tuple[type[NaveError], str]
_LOST: _Row = (RetryableError, "NAVE-K330")
_CLASSES: tuple[tuple[type[BaseException], _Row], ...] = (
    (ssl.SSLCertVerificationError, (ConfigError, "NAVE-K331")),
    (ssl.SSLError, _LOST),
    (imaplib.IMAP4.readonly, (ConfigError, "NAVE-K334")),
    (imaplib.IMAP4.abort, _LOST),
    (imaplib.IMAP4.error, (RetryableError, "NAVE-K333")),
    (smtplib.SMTPServerDisconnected, _LOST),
    (smtplib.SMTPConnectError, _LOST),
    (smtplib.SMTPNotSupportedError, (ConfigError, "NAVE-K332")),
    (smtplib.SMTPException, (RetryableError, "NAVE-K333")),
    (OSError, _LOST),
    (EOFError, _LOST),
)
_CAUGHT = tuple(kind for kind, _ in _CLASSES)
_OURS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE})
"""What only this machine's own disk can say."""


@contextmanager
def translating(url: str) -> Iterator[None]:
    """A server that is away is tried again; certificates and missing rights are matters of configuration."""
    try:
        yield
    except NaveError:
        raise
    except _CAUGHT as error:
        if isinstance(error, OSError) and error.errno in _OURS:
            raise
        kind, code = next(row for kinds, row in _CLASSES if isinstance(error, kinds))
        raise kind(code, url=short(url, 200), reason=said(error)) from error


def said(error: BaseException) -> str:
    """The server's own words where there are some; never more than a line of them."""
    words = getattr(error, "smtp_error", None) or (error.args[-1] if error.args else "")
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return short((text.strip() if isinstance(text, str) else "") or type(error).__name__, 200)
