"""Posts documents to the one address of the configuration with libcurl: no redirects, no proxies."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import pycurl

from nave.connectors.curl import basic_login, settings
from nave.connectors.exchange import Answer, exchange
from nave.connectors.nc.options import NcOptions, Server, U8Options
from nave.core.errors import NaveError, UnknownOutcome
from nave.core.protocols import Setting


class Wire:
    """Keeps a connection for each thread that posts. Certificates are always verified."""

    def __init__(self, options: Server, setting: Setting, path: str, query: Mapping[str, str], kind: str) -> None:
        """`kind` is the content type of what is posted; `query` is in no error."""
        self.url = options.url + path
        self._address = f"{self.url}?{urlencode(query)}" if query else self.url
        self._most = options.max_answer
        self._settings = settings(options, setting)
        self._common = ["Accept-Encoding: identity", "Expect:", f"Content-Type: {kind}", *basic_login(options)]
        self._local = threading.local()
        self._handles: list[pycurl.Curl] = []

    def close(self) -> None:
        """Close all connections."""
        while self._handles:
            self._handles.pop().close()

    def post(self, body: bytes, headers: Sequence[str] = ()) -> Answer:
        """Post one document. RetryableError when nobody was reached, UnknownOutcome when no whole answer came.

        A post whose kept connection had just ended may go out twice: it carries the same ids, so that does no harm.
        """
        return self._exchange({pycurl.POST: 1, pycurl.POSTFIELDS: body}, headers)

    def ask(self) -> Answer:
        """Ask the servlet for its headers: nothing is posted."""
        return self._exchange({pycurl.NOBODY: 1})

    def _exchange(self, request: Mapping[int, Any], headers: Sequence[str] = ()) -> Answer:
        lines = {pycurl.URL: self._address, pycurl.HTTPHEADER: [*self._common, *headers]}
        return exchange(self._handle(), self.url, {**self._settings, **request, **lines}, self._most, self._too_large)

    def _too_large(self, reason: str) -> NaveError:
        return UnknownOutcome("NAVE-K392", url=self.url, reason=reason)

    def _handle(self) -> pycurl.Curl:
        handle: pycurl.Curl | None = getattr(self._local, "handle", None)
        if handle is None:
            handle = self._local.handle = pycurl.Curl()
            self._handles.append(handle)
        return handle


def servlet(options: NcOptions | U8Options, setting: Setting) -> Wire:
    """The wire to a servlet that takes documents."""
    kind = f"text/xml; charset={options.encoding.upper()}"
    return Wire(options, setting, options.path, options.query, kind)
