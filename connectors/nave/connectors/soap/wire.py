"""Carries envelopes to the one address of the configuration with libcurl: no redirects, no proxies, no second address."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pycurl
from lxml import etree

from nave.connectors.curl import basic_login, settings
from nave.connectors.exchange import Answer, exchange
from nave.connectors.soap.options import SoapOptions
from nave.core.errors import NaveError, UnknownOutcome
from nave.core.protocols import Setting
from nave.formats import detect

_DECLARATION_END = b"?>"


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, in the shape that zeep takes."""

    status_code: int
    headers: Mapping[str, str]
    """Names in lower case, and the content type also as zeep asks for it."""
    content: bytes
    encoding: str = "utf-8"


class Wire:
    """Keeps a connection for each thread that calls. Certificates are always verified."""

    def __init__(self, options: SoapOptions, setting: Setting, *, resend: bool) -> None:
        """`resend` allows to repeat a request whose kept connection had just ended, which never tells whether the request
        got through."""
        self.url = options.url
        self._most = options.max_answer
        self._settings = settings(options, setting)
        if not resend:
            self._settings |= {pycurl.FRESH_CONNECT: 1, pycurl.FORBID_REUSE: 1}
        self._common = ["Accept-Encoding: identity", "Expect:", *basic_login(options)]
        self._local = threading.local()
        self._handles: list[pycurl.Curl] = []

    def close(self) -> None:
        """Close all connections."""
        while self._handles:
            self._handles.pop().close()

    def post_xml(self, address: str, envelope: Any, headers: Mapping[str, str]) -> Reply:
        """Post one envelope; the name and the arguments are those that zeep calls, the address is always ours."""
        lines = [f"{name}: {text}" for name, text in headers.items()]
        return self._exchange({pycurl.POST: 1, pycurl.POSTFIELDS: _written(envelope)}, lines)

    def ask(self) -> Reply:
        """Ask for the headers of the address."""
        return self._exchange({pycurl.NOBODY: 1}, [])

    def _exchange(self, request: Mapping[int, Any], lines: list[str]) -> Reply:
        where = {pycurl.URL: self.url, pycurl.HTTPHEADER: [*self._common, *lines]}
        return _reply(
            exchange(self._handle(), self.url, {**self._settings, **request, **where}, self._most, self._too_large)
        )

    def _too_large(self, reason: str) -> NaveError:
        return UnknownOutcome("NAVE-K225", url=self.url, reason=reason)

    def _handle(self) -> pycurl.Curl:
        handle: pycurl.Curl | None = getattr(self._local, "handle", None)
        if handle is None:
            handle = self._local.handle = pycurl.Curl()
            self._handles.append(handle)
        return handle


def _written(envelope: Any) -> bytes:
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + etree.tostring(envelope, encoding="utf-8", xml_declaration=False)


def _reply(answer: Answer) -> Reply:
    pairs = (line.decode("latin-1").partition(":") for line in answer.head if b":" in line)
    headers = {name.strip().lower(): text.strip() for name, _, text in pairs}
    kind = headers.get("content-type", "text/xml")
    headers["Content-Type"] = kind
    plain = not kind.lower().startswith("multipart/")
    return Reply(answer.status, headers, in_utf8(answer.content, kind) if plain else answer.content)


def in_utf8(content: bytes, kind: str = "") -> bytes:
    """A document as UTF-8 without a declaration; bytes that are no text in the encoding they name stay as they are.

    The mark comes first, then the content type, then the declaration, then a trial: GBK under the name of GB2312, and
    GBK that calls itself nothing, are the normal case. The parsers at hand refuse both.
    """
    named = _charset(kind) or _declared(content)
    try:
        codec = detect(content, named)
        text = content.decode(codec).removeprefix("\ufeff")
    except (NaveError, UnicodeDecodeError):
        return content
    start = text.lstrip()
    if start.startswith("<?xml") and "?>" in start[:400]:
        start = start.partition("?>")[2]
    return start.encode()


def _charset(kind: str) -> str | None:
    for parameter in kind.split(";")[1:]:
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "charset":
            return value.strip("\"' ") or None
    return None


def _declared(content: bytes) -> str | None:
    head = content[:400].removeprefix(b"\xef\xbb\xbf")
    if not head.lstrip().startswith(b"<?xml") or _DECLARATION_END not in head:
        return None
    declaration = head.partition(_DECLARATION_END)[0].decode("latin-1")
    _, found, rest = declaration.partition("encoding")
    return rest.strip("= \"'").split("'")[0].split('"')[0] or None if found else None
