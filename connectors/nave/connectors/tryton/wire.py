"""Carries one call at a time to the server with libcurl: no redirects, no proxies, no second address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pycurl

from nave.connectors.curl import settings
from nave.connectors.exchange import Answer, exchange
from nave.connectors.tryton.options import TrytonOptions
from nave.connectors.wording import short
from nave.core.errors import NaveError, UnknownOutcome
from nave.core.protocols import Setting


class Wire:
    """Keeps its connection between calls. To be used by one thread at a time."""

    def __init__(self, options: TrytonOptions, setting: Setting) -> None:
        self._url = options.url
        self._most = options.max_answer
        self._settings = settings(_NoUser(options), setting)
        self._handle = pycurl.Curl()

    def close(self) -> None:
        """Close the connection."""
        self._handle.close()

    def send(self, method: str, path: str, headers: Sequence[str], body: bytes | None, *, asks: bool) -> Answer:
        """Make one call below the server's address; `asks` says that it changes nothing, so it may be repeated unseen.

        RetryableError where nothing was sent, UnknownOutcome where the answer is lost, ConfigError for what stays wrong.
        """
        request: dict[int, Any] = {**self._settings, pycurl.URL: self._url + path, pycurl.HTTPHEADER: ["Expect:", *headers]}
        request[pycurl.ENCODING] = "gzip"  # Tryton packs what is long, whether it was asked to or not
        if not asks:  # a kept connection that has just ended never tells whether a request got through
            request[pycurl.FRESH_CONNECT] = 1
        if body is not None:
            request |= {pycurl.POST: 1, pycurl.POSTFIELDS: body}
        request[pycurl.CUSTOMREQUEST] = method
        return exchange(self._handle, self._url, request, self._most, self._too_large)

    def _too_large(self, reason: str) -> NaveError:
        return UnknownOutcome("NAVE-K403", what=short(self._url), reason=reason)


class _NoUser:
    """The limits of a connection whose login goes another way than Basic."""

    def __init__(self, options: TrytonOptions) -> None:
        self.user = None
        self.password = None
        self.ca = options.ca
        self.connect = options.connect
        self.idle = options.idle
        self.timeout = options.timeout
