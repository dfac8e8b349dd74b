"""Cuts a stream into lines of bytes, in blocks, without ever holding more than one record of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO, NamedTuple

from nave.core.errors import PermanentError
from nave.formats.encodings import detect, mark, text_of, undecoded
from nave.formats.kinds import chosen, chunks, opened, refuse_other_text
from nave.formats.limits import Limits
from nave.formats.rows import shown


class Block(NamedTuple):
    """Some whole lines with their line ends; `offset` is the first one's, None where the file was transcoded."""

    lines: list[bytes]
    offset: int | None
    encoding: str


def blocks(stream: BinaryIO, expected: str, encoding: str, limits: Limits, *, bare_cr: bool = True) -> Iterator[Block]:
    """All lines of a text file; `bare_cr` takes a lone carriage return for a line end, as old exports have it.

    Lines are not decoded yet, so that one wrong byte costs one line; UTF-16 is turned into UTF-8 on the way.
    """
    head = opened(stream, expected)
    codec = chosen(head, encoding)
    refuse_other_text(head, codec or "utf-8", expected)
    data = chunks(stream, head)
    offset: int | None = mark(head)[1]
    if codec and codec.startswith("utf-16"):
        data = (text.encode() for text in text_of(data, codec, offset or 0))
        codec, offset = "utf-8", None
    yield from _cut(data, codec, offset, limits, bare_cr=bare_cr)


def decoded(line: bytes, encoding: str, offset: int | None) -> str:
    """One line as text; NAVE-D103 names the byte that is wrong, NAVE-D106 a NUL."""
    try:
        text = line.decode(encoding)
    except UnicodeDecodeError as error:
        place = None if offset is None else offset + error.start
        raise undecoded(encoding, place, line[error.start :]) from None
    if "\x00" in text:
        raise PermanentError("NAVE-D106", expected="text", offset="?" if offset is None else offset + line.find(b"\0"))
    return text


def _cut(data: Iterator[bytes], codec: str | None, offset: int | None, limits: Limits, *, bare_cr: bool) -> Iterator[Block]:
    rest = b""
    for chunk in chain(data, (None,)):
        if codec is None and chunk and not chunk.isascii():
            codec = detect(chunk)
        lines, rest = _lines(rest + (chunk or b""), bare_cr=bare_cr, final=chunk is None)
        if lines:
            yield Block(lines, offset, codec or "utf-8")
            offset = None if offset is None else offset + sum(map(len, lines))
        if len(rest) > limits.record:
            raise PermanentError("NAVE-D125", limit=limits.record, place=shown(rest[:40].decode("latin-1")))


def _lines(data: bytes, *, bare_cr: bool, final: bool) -> tuple[list[bytes], bytes]:
    """Whole lines with their ends, and what may go on in the next piece."""
    lines = data.splitlines(keepends=True) if bare_cr else [line + b"\n" for line in data.split(b"\n")]
    if not bare_cr:
        lines[-1] = lines[-1][:-1]
    if final or not lines or lines[-1].endswith(b"\n"):
        return [line for line in lines if line], b""
    return lines, lines.pop()
