"""The bytes of a request: unpacked under a limit, and read as JSON or XML by one parser for each media type."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from io import BytesIO
from typing import Any

from nave.api.bounds import Share
from nave.api.problems import Problem
from nave.core.errors import NaveError
from nave.core.protocols import Raw, Refused
from nave.formats import XmlFormat, loads, read

XML = frozenset({b"application/xml", b"text/xml"})
_GZIP = frozenset({b"gzip", b"x-gzip"})
_PIECE = 256 * 1024
_MOST_MEMBERS = 1_000
AT_ONCE = 64 * 1024
"""Bytes whose unpacking or reading does not keep others waiting; more of them get a thread."""


async def unpacked(headers: Mapping[bytes, bytes], body: bytes, limit: int, share: Share) -> bytes:
    """The body as it was before its `Content-Encoding`; at most `limit` bytes of it, counted while they come out.

    A Problem with status 415 for another coding than gzip, 413 for more than the limit, 400 for what is no whole gzip.
    """
    coding = headers.get(b"content-encoding", b"").strip().lower()
    if coding in (b"", b"identity"):
        return body
    if coding not in _GZIP:
        shown = coding[:40].decode("ascii", "replace")
        raise Problem("NAVE-A026", 415, {"Accept-Encoding": "gzip"}, coding=shown)
    whole = _inflated(body, limit) if len(body) <= _PIECE // 16 else await asyncio.to_thread(_inflated, body, limit)
    share.take(len(whole))
    return whole


def _inflated(body: bytes, limit: int) -> bytes:
    """All members, one after the other, as RFC 1952 has them."""
    parts: list[bytes] = []
    size = 0
    rest = body
    members = 0
    try:
        while rest:
            members += 1
            if members > _MOST_MEMBERS:
                raise Problem("NAVE-A027", 400, {})
            member = zlib.decompressobj(wbits=31)
            while not member.eof:
                part = member.decompress(rest, _PIECE)
                rest = member.unconsumed_tail or member.unused_data
                size += len(part)
                if size > limit:
                    raise Problem("NAVE-A003", 413, {}, limit=limit)
                parts.append(part)
                if not part and not rest and not member.eof:
                    raise Problem("NAVE-A027", 400, {})
    except zlib.error as error:
        raise Problem("NAVE-A027", 400, {}) from error
    return b"".join(parts)


def json_of(body: bytes) -> Any:
    """What a JSON document says; a Problem with status 400."""
    try:
        return loads(body)
    except NaveError as error:
        raise _because("NAVE-A011", 400, error) from error


def xml_records(body: bytes, record: str | None, charset: str, media: bytes) -> list[Raw]:
    """The elements called `record`, all of them; a Problem with status 400, 415 or 422 says what is wrong.

    A document without one is refused: a name with a slip in it would lose what was sent, and nobody would hear of it.
    """
    if record is None:
        raise Problem("NAVE-A028", 415, {}, media=media.decode("ascii", "replace"))
    try:
        rows = [row.value for row in read(BytesIO(body), XmlFormat(record=record, encoding=charset or "auto"))]
        refused = next((row.error for row in rows if isinstance(row, Refused)), None)
        if refused is not None:
            raise refused
    except ValueError as error:  # a charset that nobody reads
        raise Problem("NAVE-A004", 415, {}, media=f"charset={charset[:40]}", accepted="utf-8") from error
    except NaveError as error:
        raise _because("NAVE-A029", 400, error) from error
    if not rows:
        raise Problem("NAVE-A030", 422, {}, record=record)
    return [row for row in rows if not isinstance(row, Refused)]


def charset_of(kind: bytes) -> str:
    """The charset parameter of a Content-Type; empty where it names none."""
    for parameter in kind.split(b";")[1:]:
        name, _, value = parameter.strip().partition(b"=")
        if name.strip().lower() == b"charset":
            return value.strip(b"\"' ").decode("latin-1")
    return ""


def _because(code: str, status: int, error: NaveError) -> Problem:
    problem = Problem(code, status, {})
    problem.cause = error
    return problem
