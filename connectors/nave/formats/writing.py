"""Turns records into files: CSV, JSON, JSON lines, XLSX and XML, one record after the other, nothing held back."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, BinaryIO

from nave.core.errors import ConfigError, PermanentError
from nave.formats.cells import cell, encoder
from nave.formats.options import CsvFormat, Format, JsonFormat
from nave.formats.rows import shown
from nave.formats.sheetwriting import write_xlsx
from nave.formats.tables import Record, laid_out
from nave.formats.xmlwriting import write_xml

_FORMULA = re.compile(r"[\t\r]|\s*[=+\-@＝＋－＠]")
_PLAIN_NUMBER = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)*%?")


def write(rows: Iterable[Record], stream: BinaryIO, options: Format, columns: Sequence[str] | None = None) -> int:
    """Write every row to `stream` and say how many there were; the stream stays open.

    CSV and XLSX have the given `columns`, or those of the first row; a row with a field that has no column is an error
    (NAVE-D183), an absent field is an empty cell. NAVE-D180: a value that the format cannot hold; NAVE-D184: a format
    that can only be read. What was written before an error stays in the stream.
    """
    writer = _WRITERS.get(options.type)
    if writer is None:
        raise ConfigError("NAVE-D184", format=options.type)
    if only_read(options):
        raise ConfigError("NAVE-D184", format=f"{options.type} ({only_read(options)})")
    return writer(rows, stream, options, columns)


def only_read(options: Format) -> str:
    """What makes this format one that only comes in: `join`, or a `header` for each kind of row; else nothing."""
    if getattr(options, "join", None):
        return "join"
    return "header: {...}" if isinstance(getattr(options, "header", None), dict) else ""


class _Text:
    """The stream as the csv module sees it."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._stream = stream
        self._encoding = "utf-8" if encoding == "auto" else encoding

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text.encode(self._encoding))
        except UnicodeEncodeError as error:
            value = shown(error.object[error.start : error.end])
            raise PermanentError("NAVE-D180", format=f"CSV ({self._encoding})", value=value) from None


def _write_csv(rows: Iterable[Record], stream: BinaryIO, options: CsvFormat, columns: Sequence[str] | None) -> int:
    names = list(options.header) if isinstance(options.header, list) else columns
    names, values = laid_out(rows, names)
    text = _Text(stream, options.encoding)
    if options.spreadsheet and text.write("\ufeff") and not names:
        return 0
    delimiter = "," if options.delimiter == "auto" else options.delimiter
    quoting: dict[str, Any] = {"quoting": csv.QUOTE_NONE} if options.quote is None else {"quotechar": options.quote}
    out = csv.writer(text, delimiter=delimiter, lineterminator="\r\n", **quoting)
    count = 0
    try:
        if options.header is True and names:
            out.writerow(map(_harmless, names) if options.spreadsheet else names)
        for row in values:
            cells = map(cell, row)
            out.writerow(map(_harmless, cells) if options.spreadsheet else cells)
            count += 1
    except csv.Error as error:
        raise PermanentError("NAVE-D180", format="CSV", value=shown(error)) from None
    return count


def _harmless(text: str) -> str:
    """Text that a spreadsheet shows and does not run; plain numbers stay as they are."""
    return f"'{text}" if _FORMULA.match(text) and not _PLAIN_NUMBER.fullmatch(text) else text


def _write_json(rows: Iterable[Record], stream: BinaryIO, options: JsonFormat, _columns: Sequence[str] | None) -> int:
    path = [part for part in options.record.split("/") if part]
    encode = encoder()
    stream.write("".join(f"{{{encode(part).decode()}:" for part in path).encode() + b"[")
    count = 0
    for row in rows:
        stream.write((b",\n" if count else b"\n") + encode(row))
        count += 1
    stream.write(b"\n]" + b"}" * len(path) + b"\n")
    return count


def _write_jsonl(rows: Iterable[Record], stream: BinaryIO, _format: Format, _columns: Sequence[str] | None) -> int:
    encode = encoder()
    count = 0
    for row in rows:
        stream.write(encode(row) + b"\n")
        count += 1
    return count


_WRITERS: Mapping[str, Callable[[Iterable[Record], BinaryIO, Any, Sequence[str] | None], int]] = {
    "csv": _write_csv,
    "json": _write_json,
    "jsonl": _write_jsonl,
    "xlsx": write_xlsx,
    "xml": write_xml,
}
