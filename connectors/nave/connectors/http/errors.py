"""Turns errors of aiohttp into errors of the hub; what matters is whether the request can have arrived."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp

from nave.connectors.wording import short
from nave.core.errors import ConfigError, NaveError, RetryableError, UnknownOutcome

_Row = tuple[type[NaveError], str]
_NOT_REACHED: _Row = (RetryableError, "NAVE-S050")
_NO_ANSWER: _Row = (UnknownOutcome, "NAVE-S051")
_CERTIFICATE: _Row = (ConfigError, "NAVE-S052")
_REQUEST: _Row = (ConfigError, "NAVE-S053")

_CLASSES: tuple[tuple[type[BaseException], _Row], ...] = (
    (aiohttp.ClientConnectorCertificateError, _CERTIFICATE),
    (aiohttp.ServerFingerprintMismatch, _CERTIFICATE),
    (aiohttp.ClientConnectorSSLError, _CERTIFICATE),
    (ssl.SSLCertVerificationError, _CERTIFICATE),
    (aiohttp.ClientConnectorError, _NOT_REACHED),
    (aiohttp.ConnectionTimeoutError, _NOT_REACHED),
    (aiohttp.InvalidURL, _REQUEST),
    (aiohttp.ClientProxyConnectionError, _NOT_REACHED),
    (aiohttp.ClientError, _NO_ANSWER),
    (asyncio.TimeoutError, _NO_ANSWER),
    (TimeoutError, _NO_ANSWER),
    (ConnectionError, _NO_ANSWER),
    (OSError, _NOT_REACHED),
    (ValueError, _REQUEST),
)
"""First fit decides. Whatever is not known to have failed before the request left counts as an answer that was lost."""
_CAUGHT = tuple(kind for kind, _ in _CLASSES)


@contextmanager
def translating(url: str) -> Iterator[None]:
    """RetryableError when nothing was sent, UnknownOutcome when it may have arrived, ConfigError for what stays wrong."""
    try:
        yield
    except _CAUGHT as error:
        kind, code = next(row for known, row in _CLASSES if isinstance(error, known))
        raise kind(code, url=short(url, 200), reason=f"{type(error).__name__}: {short(error, 200)}") from error
