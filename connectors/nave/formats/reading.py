"""Reads any format: one function, a table of readers behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

from nave.formats.csvfile import read_csv
from nave.formats.fixedfile import read_attlog, read_fixed
from nave.formats.joining import joined
from nave.formats.jsonfile import read_json, read_jsonl
from nave.formats.limits import DEFAULTS, Limits
from nave.formats.options import Format, Join
from nave.formats.rows import Row
from nave.formats.workbook import read_xlsx
from nave.formats.xmlfile import read_xml


def read(stream: BinaryIO, options: Format, limits: Limits = DEFAULTS) -> Iterator[Row]:
    """Every record of `stream`, in order, while it is being read; a bad record is a row whose value is `Refused`.

    `stream` needs `read(size)` only. A file that cannot go on (empty, cut off, of another kind or encoding, hostile)
    raises a PermanentError NAVE-D1xx that says where, after all records before the fault were yielded. The same bytes
    always give the same rows with the same numbers, so that a reader may skip what it has had.
    """
    rows = _READERS[options.type](stream, options, limits)
    join: Join | None = getattr(options, "join", None)
    return joined(rows, join, limits) if join else rows


_READERS: Mapping[str, Callable[[BinaryIO, Any, Limits], Iterator[Row]]] = {
    "xml": read_xml,
    "csv": read_csv,
    "json": read_json,
    "jsonl": read_jsonl,
    "xlsx": read_xlsx,
    "fixed": read_fixed,
    "attlog": read_attlog,
}
