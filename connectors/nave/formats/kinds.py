"""Looks at the first bytes of a file and refuses what is plainly something else than its pattern promised."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from nave.core.errors import PermanentError
from nave.formats.encodings import HEAD, detect, mark
from nave.formats.rows import shown

CHUNK = 256 * 1024

_MAGIC = (
    (b"PK\x03\x04", "ZIP/XLSX"),
    (b"PK\x05\x06", "ZIP"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "XLS/OLE"),
    (b"%PDF", "PDF"),
    (b"\x1f\x8b", "GZIP"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"Rar!\x1a\x07", "RAR"),
    (b"SQLite format 3\x00", "SQLite"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x7fELF", "ELF"),
    (b"MZ\x90", "EXE"),
)
_MARKUP = re.compile(r"<[A-Za-z!?/]")
_OBJECT = re.compile(r"[{\[]\s*[\"{\[]")


def opened(stream: BinaryIO, expected: str) -> bytes:
    """The first 64 KiB; NAVE-D101 for an empty file, NAVE-D102 for one that is not `expected` (XML, CSV, JSON, ...)."""
    head = b""
    while len(head) < HEAD and (more := stream.read(HEAD - len(head))):
        head += more
    if not head:
        raise PermanentError("NAVE-D101", expected=expected)
    found = magic(head)
    if found and expected != "XLSX":
        raise PermanentError("NAVE-D102", expected=expected, found=found)
    return head


def magic(head: bytes) -> str:
    """The kind of binary file that begins like this; empty for none that is known."""
    return next((kind for start, kind in _MAGIC if head.startswith(start)), "")


def refuse_other_text(head: bytes, encoding: str, expected: str) -> None:
    """NAVE-D102 for text of another kind than `expected`, NAVE-D106 for bytes that no text holds."""
    body = head[mark(head)[1] :]
    text = body.decode(encoding, "replace")
    if "\x00" in text:
        raise PermanentError("NAVE-D106", expected=expected, offset=head.find(b"\x00"))
    start = text.lstrip()[:200]
    found = "XML/HTML" if _MARKUP.match(start) else "JSON" if _OBJECT.match(start) else ""
    fits = {"XML": found == "XML/HTML", "JSON": found != "XML/HTML"}.get(expected, not found)
    if start and not fits:
        raise PermanentError("NAVE-D102", expected=expected, found=found or shown(start[:40]))


def chunks(stream: BinaryIO, head: bytes) -> Iterator[bytes]:
    """The whole file in pieces, its head first, without a byte order mark."""
    yield head[mark(head)[1] :]
    while data := stream.read(CHUNK):
        yield data


def chosen(head: bytes, option: str, declared: str | None = None) -> str | None:
    """The codec for a file: by its mark, the option, its own declaration, a trial; None while it is all ASCII."""
    named = declared if option == "auto" else option
    if named is None and head.isascii() and b"\x00" not in head:
        return None
    return detect(head, named)
