"""Reads comma-separated text row by row; a row that does not fit is refused alone."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any, BinaryIO

from nave.core.errors import NaveError, PermanentError
from nave.formats.headers import checked
from nave.formats.limits import Limits
from nave.formats.lines import blocks, decoded
from nave.formats.options import CsvFormat
from nave.formats.rows import Row, refused, shown

_DELIMITERS = ",;\t|"
_QUOTED = re.compile(r'"[^"]*"')


def read_csv(stream: BinaryIO, options: CsvFormat, limits: Limits) -> Iterator[Row]:
    """Every row by column name, all values text; blank lines are none. Numbers count lines, from 1.

    NAVE-D147 for a row of a kind that `header` does not know.
    """
    # The csv module keeps this bound for the whole process; every reader sets the same one.
    csv.field_size_limit(limits.csv_field)
    feed = _Feed(stream, options, limits)
    reader = _reader(feed, options)
    header, kinds = _names(reader, feed, options, limits)
    width = len(header)
    while True:
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield feed.refused(_broken(error, feed.number, limits))
        else:
            if kinds and values:
                header = kinds.get(values[0], header)
                width = len(header)
            if feed.fault is not None:
                yield feed.refused(feed.fault)
            elif kinds and values and values[0] not in kinds:
                found, known = shown(values[0]), shown(", ".join(kinds))
                yield feed.refused(PermanentError("NAVE-D147", line=feed.number, found=found, known=known))
            elif len(values) == width:
                yield Row(dict(zip(header, values, strict=True)), feed.number, feed.offset)
            elif values:
                yield feed.refused(PermanentError("NAVE-D140", line=feed.number, found=len(values), expected=width))
        feed.forget()


class _Feed:
    """Hands decoded lines to the reader and remembers what the row in hand is made of, and where it begins."""

    def __init__(self, stream: BinaryIO, options: CsvFormat, limits: Limits) -> None:
        self.number = 1
        self.offset: int | None = None
        self.fault: NaveError | None = None
        self._taken: list[bytes] = []
        self._encoding = "utf-8"
        self.lines = self._lines(stream, options, limits)
        for _ in islice(self.lines, options.skip):
            self.forget()

    def _lines(self, stream: BinaryIO, options: CsvFormat, limits: Limits) -> Iterator[str]:
        number = 0
        taken = self._taken
        for block in blocks(stream, "CSV", options.encoding, limits):
            encoding, offset = block.encoding, block.offset
            self._encoding = encoding
            for line in block.lines:
                number += 1
                if not taken:
                    self.number, self.offset = number, offset
                elif sum(map(len, taken)) > limits.record:
                    raise PermanentError("NAVE-D125", limit=limits.record, place=self.number)
                taken.append(line)
                try:
                    text = decoded(line, encoding, offset)
                except NaveError as error:
                    self.fault = self.fault or error
                    text = line.decode(encoding, "replace")
                yield text
                offset = None if offset is None else offset + len(line)

    def forget(self) -> None:
        """The row in hand is done with."""
        self._taken.clear()
        self.fault = None

    def refused(self, error: NaveError) -> Row:
        """The row in hand, whole, with what is wrong with it."""
        raw = b"".join(self._taken).decode(self._encoding, "replace")
        return refused(raw, error, self.number, self.offset)


def _reader(feed: _Feed, options: CsvFormat) -> Iterator[list[str]]:
    first = next(feed.lines, "")
    quoting: dict[str, Any] = {"quoting": csv.QUOTE_NONE} if options.quote is None else {"quotechar": options.quote}
    delimiter = _delimiter(first) if options.delimiter == "auto" else options.delimiter
    return csv.reader(chain([first] if first else [], feed.lines), strict=True, delimiter=delimiter, **quoting)


def _delimiter(line: str) -> str:
    plain = _QUOTED.sub("", line)
    return max(_DELIMITERS, key=plain.count)


def _names(
    reader: Iterator[list[str]], feed: _Feed, options: CsvFormat, limits: Limits
) -> tuple[list[str], dict[str, list[str]]]:
    """The columns' names, or those of each kind of row."""
    if isinstance(options.header, dict):
        return [], {kind: checked(names, limits) for kind, names in options.header.items()}
    return checked(_header(reader, feed) if options.header is True else options.header, limits), {}


def _header(reader: Iterator[list[str]], feed: _Feed) -> list[str]:
    try:
        names = next((row for row in reader if row), None)
    except csv.Error as error:
        raise PermanentError("NAVE-D141", line=feed.number, reason=str(error)) from None
    if feed.fault is not None:
        raise feed.fault
    if names is None:
        raise PermanentError("NAVE-D146")
    feed.forget()
    return names


def _broken(error: csv.Error, line: int, limits: Limits) -> PermanentError:
    if "field larger" in str(error):
        return PermanentError("NAVE-D144", line=line, limit=limits.csv_field)
    return PermanentError("NAVE-D141", line=line, reason=shown(error))
