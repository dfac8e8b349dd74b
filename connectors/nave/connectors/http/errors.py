"""Turns what libcurl reports into errors of the hub; what matters is whether the request can have arrived."""

from __future__ import annotations

from collections.abc import Mapping

import pycurl

from nave.connectors.wording import short
from nave.core.errors import ConfigError, NaveError, RetryableError, UnknownOutcome

_Row = tuple[type[NaveError], str]
_NOT_REACHED: _Row = (RetryableError, "NAVE-S050")
_NO_ANSWER: _Row = (UnknownOutcome, "NAVE-S051")
_CERTIFICATE: _Row = (ConfigError, "NAVE-S052")
_PROTOCOL: _Row = (ConfigError, "NAVE-K245")
_REQUEST: _Row = (ConfigError, "NAVE-S053")

_UNSENT: Mapping[int, _Row] = {
    pycurl.E_PEER_FAILED_VERIFICATION: _CERTIFICATE,
    pycurl.E_SSL_CONNECT_ERROR: _PROTOCOL,
    pycurl.E_SSL_ISSUER_ERROR: _CERTIFICATE,
    pycurl.E_SSL_CACERT_BADFILE: _CERTIFICATE,
    pycurl.E_SSL_INVALIDCERTSTATUS: _CERTIFICATE,
    pycurl.E_URL_MALFORMAT: _REQUEST,
    pycurl.E_UNSUPPORTED_PROTOCOL: _REQUEST,
    pycurl.E_BAD_FUNCTION_ARGUMENT: _REQUEST,
}
"""Where no byte of a request has left, all else means that nobody could be reached."""


def failure(url: str, number: int, reason: str, *, sent: bool) -> NaveError:
    """RetryableError when nothing was sent, UnknownOutcome when it may have arrived, ConfigError for what stays wrong.

    `number` and `reason` are libcurl's; see https://curl.se/libcurl/c/libcurl-errors.html.
    """
    kind, code = _NO_ANSWER if sent else _UNSENT.get(number, _NOT_REACHED)
    return kind(code, url=short(url, 200), reason=short(reason or f"libcurl {number}", 200))
