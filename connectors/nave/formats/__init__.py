"""Bytes to records and back, streaming, in bounded memory, for input that nobody vouches for."""

from nave.formats.encodings import detect
from nave.formats.limits import DEFAULTS, Limits
from nave.formats.options import (
    AttlogFormat,
    CsvFormat,
    FixedColumn,
    FixedFormat,
    Format,
    Join,
    JsonFormat,
    JsonLinesFormat,
    XlsxFormat,
    XmlFormat,
    unit,
)
from nave.formats.reading import read
from nave.formats.rows import Row
from nave.formats.strictjson import loads
from nave.formats.writing import only_read, write

__all__ = [
    "DEFAULTS",
    "AttlogFormat",
    "CsvFormat",
    "FixedColumn",
    "FixedFormat",
    "Format",
    "Join",
    "JsonFormat",
    "JsonLinesFormat",
    "Limits",
    "Row",
    "XlsxFormat",
    "XmlFormat",
    "detect",
    "loads",
    "only_read",
    "read",
    "unit",
    "write",
]
