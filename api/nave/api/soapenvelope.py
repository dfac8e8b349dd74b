"""Envelopes in and out. What comes in is first looked at by a parser that builds nothing and stops at the operation."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape

from nave.api.problems import Problem
from nave.core.errors import NaveError, PermanentError
from nave.core.protocols import Raw, Refused
from nave.core.texts import message
from nave.formats import XmlFormat, detect, read

SOAP_11 = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12 = "http://www.w3.org/2003/05/soap-envelope"
KINDS = {SOAP_11: "text/xml; charset=utf-8", SOAP_12: "application/soap+xml; charset=utf-8"}
_HEAD = 64 * 1024
"""Characters in which the operation's name must have come."""
_DEPTH = 16
_CHUNK = 4_096
_TYPED = re.compile(r"[^\s:]+:[^\s:]+")
_DECLARATION = re.compile(r"\A\s*<\?xml[^>]{0,200}\?>")
_CHARSET = re.compile(rb"charset\s*=\s*\"?([A-Za-z0-9._:-]{1,40})")
_DECLARED = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([^\"'>]{1,40})[\"']")


@dataclass(frozen=True, slots=True)
class Opening:
    """What an envelope says before its content."""

    version: str
    """The namespace of SOAP."""
    operation: str
    user: str | None = None
    password: str | None = None
    """Of a username token whose password stands there as text."""


class _Done(Exception):
    """All that is wanted is known."""


class _Look:
    """Follows the parser down to the operation's name, and keeps the texts of a username token."""

    def __init__(self) -> None:
        self.path: list[str] = []
        self.version = ""
        self.operation = ""
        self.texts = {"Username": "", "Password": ""}

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        space, _, local = name.rpartition(" ")
        self.path.append(local)
        if len(self.path) > _DEPTH:
            raise _Done
        if len(self.path) == 1:
            self.version = space if local == "Envelope" else ""
        if len(self.path) == 3 and self.path[1] == "Body":
            self.operation = local
            raise _Done

    def end(self, _name: str) -> None:
        self.path.pop()

    def text(self, said: str) -> None:
        if self.path[1:4] == ["Header", "Security", "UsernameToken"] and len(self.path) == 5 and self.path[4] in self.texts:
            self.texts[self.path[4]] += said[:1_000]

    def doctype(self, *_: Any) -> None:
        raise PermanentError("NAVE-D112", line=1, name="DOCTYPE")


def opening(text: str) -> Opening:
    """The envelope's version, operation and token; a Problem for what is no envelope. Reads no further than it must."""
    look = _Look()
    parser = expat.ParserCreate("utf-8", " ")
    parser.StartElementHandler, parser.EndElementHandler = look.start, look.end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = look.text, look.doctype
    try:
        for first in range(0, min(len(text), _HEAD), _CHUNK):
            parser.Parse(text[first : first + _CHUNK].encode("utf-8", "replace"), False)
    except _Done:
        pass
    except (expat.ExpatError, PermanentError) as error:
        raise _no_envelope(error) from error
    if look.version not in KINDS or not look.operation:
        raise _no_envelope(None)
    return Opening(look.version, look.operation, look.texts["Username"], look.texts["Password"])


def _no_envelope(error: Exception | None) -> Problem:
    problem = Problem("NAVE-K234", 400, {}, reason=str(error)[:120] if error is not None else "Envelope/Body")
    problem.cause = error if isinstance(error, NaveError) else None
    return problem


def text_of(body: bytes, kind: bytes) -> str:
    """The document without its declaration, by mark, content type, declaration or trial; a Problem for no text."""
    charset = _CHARSET.search(kind) or _DECLARED.search(body[:400])
    try:
        codec = detect(body, charset[1].decode() if charset else None)
        return _DECLARATION.sub("", body.decode(codec).removeprefix("\ufeff")).lstrip()
    except (NaveError, UnicodeDecodeError) as error:
        raise _no_envelope(error) from error


def records(text: str, path: str) -> list[Raw]:
    """The elements at a path below the Body, read by the hardened reader; a Problem with the reason."""
    try:
        rows = read(io.BytesIO(text.encode("utf-8", "replace")), XmlFormat(record=path, encoding="utf-8"))
        return [_clean(one) for one in _sound(row.value for row in rows)]
    except NaveError as error:
        problem = Problem("NAVE-K234", 400, {}, reason=error.text()[:120])
        problem.cause = error
        raise problem from error


def _sound(values: Iterator[Raw | Refused]) -> Iterator[Raw]:
    for one in values:
        if isinstance(one, Refused):
            raise one.error
        yield one


def _clean(value: Any) -> Any:
    """Without what toolkits add to elements: xsi:type beside a text, and xsi:nil."""
    if isinstance(value, list):
        return [_clean(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.get("@nil") in ("true", "1"):
        return None
    kind = value.get("@type")
    if isinstance(kind, str) and _TYPED.fullmatch(kind):
        value = {name: one for name, one in value.items() if name != "@type"}
        if set(value) <= {"#text"}:
            return value.get("#text", "")
    return {name: _clean(one) for name, one in value.items()}


def answer(version: str, namespace: str, operation: str, values: Mapping[str, Any]) -> bytes:
    """The envelope of an answer: texts, numbers, booleans, lists of dicts; None is left out."""
    return _envelope(
        version, f'<n:{operation}Response xmlns:n="{escape(namespace)}">{_inner(values)}</n:{operation}Response>'
    )


def _inner(values: Mapping[str, Any]) -> str:
    found = []
    for name, value in values.items():
        for one in value if isinstance(value, list) else [value]:
            if one is not None:
                inner = _inner(one) if isinstance(one, Mapping) else escape(_said(one))
                found.append(f"<n:{name}>{inner}</n:{name}>")
    return "".join(found)


def _said(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def fault(version: str, problem: Problem, language: str) -> bytes:
    """The envelope of a fault: whose it is, the code and the text, and what to do."""
    ours = problem.status >= 500
    text, code = escape(problem.text(language)), problem.code
    cause = problem.cause
    more = "" if cause is None else f"<cause>{cause.code}: {escape(cause.text(language))}</cause>"
    title = escape(message(code, "help", language, **problem.params))
    detail = f'<problem xmlns="urn:nave:error"><code>{code}</code><help>{title}</help>{more}</problem>'
    if version == SOAP_12:
        who = "Receiver" if ours else "Sender"
        reason = f'<s:Reason><s:Text xml:lang="{language}">{text}</s:Text></s:Reason>'
        inner = f"<s:Fault><s:Code><s:Value>s:{who}</s:Value></s:Code>{reason}<s:Detail>{detail}</s:Detail></s:Fault>"
    else:
        who = "Server" if ours else "Client"
        inner = (
            f"<s:Fault><faultcode>s:{who}</faultcode><faultstring>{text}</faultstring><detail>{detail}</detail></s:Fault>"
        )
    return _envelope(version, inner)


def _envelope(version: str, inner: str) -> bytes:
    head = f'<?xml version="1.0" encoding="utf-8"?>\n<s:Envelope xmlns:s="{version}"><s:Body>'
    return f"{head}{inner}</s:Body></s:Envelope>".encode("utf-8", "xmlcharrefreplace")
