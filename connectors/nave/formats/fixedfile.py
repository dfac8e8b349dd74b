"""Reads lines whose columns stand at fixed places, and the attendance logs of time clocks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import BinaryIO

from nave.core.errors import NaveError, PermanentError
from nave.core.protocols import Raw
from nave.formats.limits import Limits
from nave.formats.lines import blocks, decoded
from nave.formats.options import AttlogFormat, FixedFormat
from nave.formats.rows import Row, refused, shown

_ENDS = "\r\n"
_PUNCH = ("pin", "time", "device", "status", "verify", "workcode")
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")

_Parse = Callable[[bytes, str, int, int | None], Raw]
"""One line without its end, its encoding, its number and its offset: the record, or a NaveError."""


def read_fixed(stream: BinaryIO, options: FixedFormat, limits: Limits) -> Iterator[Row]:
    """Every line cut into its columns, text as written; a line that ends too early is refused."""
    parse = _by_bytes(options) if options.unit == "bytes" else _by_characters(options)
    yield from _each(stream, "fixed", options.encoding, limits, parse, options.skip)


def read_attlog(stream: BinaryIO, _format: AttlogFormat, limits: Limits) -> Iterator[Row]:
    """Every punch; only the padding of the pin is taken off. NAVE-D102 if not even the first line is one."""
    rows = _each(stream, "attlog.dat", "auto", limits, _punch)
    first = next(rows, None)
    if first is None:
        return
    if not isinstance(first.value, dict) and "\t" not in first.value.raw:
        raise PermanentError("NAVE-D102", expected="attlog.dat", found=shown(first.value.raw[:40]))
    yield first
    yield from rows


def _each(stream: BinaryIO, expected: str, encoding: str, limits: Limits, parse: _Parse, skip: int = 0) -> Iterator[Row]:
    number = 0
    for block in blocks(stream, expected, encoding, limits):
        offset = block.offset
        for line in block.lines:
            number += 1
            body = line.rstrip(b"\r\n")
            if body.strip(b"\x1a") and number > skip:
                yield _row(body, block.encoding, number, offset, parse)
            offset = None if offset is None else offset + len(line)


def _row(line: bytes, encoding: str, number: int, offset: int | None, parse: _Parse) -> Row:
    try:
        return Row(parse(line, encoding, number, offset), number, offset)
    except NaveError as error:
        return refused(line.decode(encoding, "replace"), error, number, offset)


def _by_characters(options: FixedFormat) -> _Parse:
    cuts = [(column.name, column.start - 1, column.start - 1 + column.width) for column in options.columns]
    needed = max(end for _, _, end in cuts)

    def parse(line: bytes, encoding: str, number: int, offset: int | None) -> Raw:
        text = decoded(line, encoding, offset)
        if len(text) < needed:
            raise PermanentError("NAVE-D170", line=number, found=len(text), expected=needed)
        record = {name: text[start:end] for name, start, end in cuts}
        return {name: value.strip(" ") for name, value in record.items()} if options.trim else record

    return parse


def _by_bytes(options: FixedFormat) -> _Parse:
    cuts = [(column.name, column.start - 1, column.start - 1 + column.width) for column in options.columns]
    needed = max(end for _, _, end in cuts)

    def parse(line: bytes, encoding: str, number: int, offset: int | None) -> Raw:
        decoded(line, encoding, offset)
        if len(line) < needed:
            raise PermanentError("NAVE-D170", line=number, found=len(line), expected=needed)
        record = {name: _column(line, start, end, encoding, number, name) for name, start, end in cuts}
        return {name: value.strip(" ") for name, value in record.items()} if options.trim else record

    return parse


def _column(line: bytes, start: int, end: int, encoding: str, number: int, name: str) -> str:
    try:
        line[:start].decode(encoding)
        return line[start:end].decode(encoding)
    except UnicodeDecodeError:
        raise PermanentError("NAVE-D171", line=number, name=shown(name)) from None


def _punch(line: bytes, encoding: str, number: int, offset: int | None) -> Raw:
    values = decoded(line, encoding, offset).split("\t")
    if len(values) != len(_PUNCH):
        raise PermanentError("NAVE-D175", line=number, found=len(values), expected=len(_PUNCH))
    record: Raw = dict(zip(_PUNCH, values, strict=True))
    record["pin"] = record["pin"].strip(" ")
    if not record["pin"] or not _TIME.fullmatch(record["time"]):
        raise PermanentError("NAVE-D176", line=number, found=shown(f"{record['pin']} {record['time']}"))
    return record
