"""Carries envelopes to the one address of the configuration with libcurl: no redirects, no proxies, no second address."""

from __future__ import annotations

import base64
import math
import ssl
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pycurl
from lxml import etree

from nave.connectors.soap.errors import failure
from nave.connectors.soap.options import SoapOptions
from nave.core.errors import ConfigError, NaveError, UnknownOutcome
from nave.core.protocols import Setting
from nave.formats import detect

_BLANK = (b"\r\n", b"\n")
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
        self._settings = {**_fixed(options), **_trust(options, setting)}
        if not resend:
            self._settings |= {pycurl.FRESH_CONNECT: 1, pycurl.FORBID_REUSE: 1}
        self._common = ["Accept-Encoding: identity", "Expect:", *_login(options)]
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
        handle = self._handle()
        head: list[bytes] = []
        body = _Body(self._most)
        for name, value in {**self._settings, **request}.items():
            handle.setopt(name, value)
        handle.setopt(pycurl.URL, self.url)
        handle.setopt(pycurl.HTTPHEADER, [*self._common, *lines])
        handle.setopt(pycurl.HEADERFUNCTION, head.append)
        handle.setopt(pycurl.WRITEFUNCTION, body.take)
        try:
            handle.perform()
        except pycurl.error as error:
            if body.room < 0:
                raise UnknownOutcome("NAVE-K225", url=self.url, reason=f"> {self._most} B") from error
            number, reason = int(error.args[0]), str(error.args[1] if len(error.args) > 1 else "")
            raise failure(self.url, number, reason, sent=handle.getinfo(pycurl.REQUEST_SIZE) > 0) from error
        if not any(line in _BLANK for line in head):  # libcurl takes a head that breaks off for a whole one
            raise failure(self.url, pycurl.E_PARTIAL_FILE, "the head of the answer broke off", sent=True)
        return _reply(handle.getinfo(pycurl.RESPONSE_CODE), head, b"".join(body.parts))

    def _handle(self) -> pycurl.Curl:
        handle: pycurl.Curl | None = getattr(self._local, "handle", None)
        if handle is None:
            handle = self._local.handle = pycurl.Curl()
            self._handles.append(handle)
        else:
            handle.reset()  # options only: the connection is kept
        return handle


class _Body:
    def __init__(self, most: int) -> None:
        self.parts: list[bytes] = []
        self.room = most

    def take(self, part: bytes) -> int:
        self.room -= len(part)
        if self.room < 0:
            return 0  # taking none of it ends the transfer
        self.parts.append(part)
        return len(part)


def _written(envelope: Any) -> bytes:
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + etree.tostring(envelope, encoding="utf-8", xml_declaration=False)


def _reply(status: int, head: list[bytes], content: bytes) -> Reply:
    pairs = (line.decode("latin-1").partition(":") for line in head if b":" in line)
    headers = {name.strip().lower(): text.strip() for name, _, text in pairs}
    kind = headers.get("content-type", "text/xml")
    headers["Content-Type"] = kind
    if not kind.lower().startswith("multipart/"):
        content = in_utf8(content, kind)
    return Reply(status, headers, content)


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


def _fixed(options: SoapOptions) -> dict[int, Any]:
    return {
        pycurl.NOSIGNAL: 1,
        pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
        pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
        pycurl.FOLLOWLOCATION: 0,
        pycurl.PROXY: "",
        pycurl.USERAGENT: "nave",
        pycurl.CONNECTTIMEOUT_MS: _milliseconds(options.connect.total_seconds()),
        pycurl.TIMEOUT_MS: _milliseconds(options.timeout.total_seconds()),
        pycurl.LOW_SPEED_LIMIT: 1,
        pycurl.LOW_SPEED_TIME: math.ceil(options.idle.total_seconds()),
    }


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _login(options: SoapOptions) -> list[str]:
    if options.user is None or options.password is None:
        return []
    pair = f"{options.user}:{options.password.get_secret_value()}".encode()
    return [f"Authorization: Basic {base64.b64encode(pair).decode()}"]


def _trust(options: SoapOptions, setting: Setting) -> dict[int, Any]:
    """Whose certificates are believed: the system's issuers, or those in one file."""
    settings: dict[int, Any] = {pycurl.SSLVERSION: pycurl.SSLVERSION_TLSv1_2}
    if options.ca is not None:
        file = setting.folder / options.ca
        try:
            ssl.create_default_context(cafile=file)
        except OSError as error:
            raise ConfigError("NAVE-S055", file=str(options.ca), reason=str(error)) from error
        return settings | {pycurl.CAINFO: str(file)}
    if sys.platform == "win32":
        return settings | {pycurl.SSL_OPTIONS: pycurl.SSLOPT_NATIVE_CA}
    known = ssl.get_default_verify_paths()
    named = {pycurl.CAINFO: known.cafile, pycurl.CAPATH: known.capath}
    return settings | {name: path for name, path in named.items() if path}
