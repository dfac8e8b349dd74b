"""Looks at a sample file nobody described, and guesses the format that its records are read with."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from nave.core.errors import NaveError
from nave.core.protocols import Refused
from nave.formats import AttlogFormat, CsvFormat, Format, JsonFormat, JsonLinesFormat, XlsxFormat, XmlFormat, read

_ROOT = re.compile(rb"<(?:[^\s<>/?!:]+:)?([^\s<>/?!:]+)")
_HEAD = 64 * 1024
_TITLES = 10
"""Rows above the header that are looked through, such as a title over merged cells."""


def guessed(file: Path) -> Format | None:
    """The format by the file's name and what is in it; None for a name that promises nothing."""
    look = _BY_SUFFIX.get(file.suffix.lower())
    return look(file.read_bytes()) if look else None


def _xml(data: bytes) -> Format | None:
    """The element that repeats, nearest to the top; the whole document where nothing does."""
    found = _ROOT.search(data[:_HEAD].replace(b"\x00", b""))
    if found is None:
        return None
    root = found[1].decode("utf-8", "replace")
    whole = next(iter(read(io.BytesIO(data), XmlFormat(record=root))), None)
    value = whole.value if whole else None
    return XmlFormat(record=next(_repeated(value), root) if isinstance(value, dict) else root)


def _repeated(top: Mapping[str, Any]) -> Iterator[str]:
    level: list[Mapping[str, Any]] = [top]
    while level:
        for one in level:
            yield from (name for name, value in one.items() if isinstance(value, list) and isinstance(value[0], dict))
        level = [value for one in level for value in one.values() if isinstance(value, dict)]


def _xlsx(data: bytes) -> Format:
    """The first row that can be a header: two names or more, and a row below that fits them."""
    return next((form for form in _headers() if _fits(data, form)), XlsxFormat())


def _headers() -> Iterator[XlsxFormat]:
    return (XlsxFormat(header_row=row) for row in range(1, _TITLES + 1))


def _fits(data: bytes, form: Format) -> bool:
    try:
        rows = [row.value for row in islice(read(io.BytesIO(data), form), 3)]
    except NaveError:
        return False
    return bool(rows) and all(not isinstance(one, Refused) and len(one) > 1 for one in rows)


def _lines(data: bytes) -> Format:
    return AttlogFormat() if _fits(data, AttlogFormat()) else CsvFormat()


_BY_SUFFIX: Mapping[str, Callable[[bytes], Format | None]] = {
    ".csv": lambda _: CsvFormat(),
    ".txt": _lines,
    ".dat": _lines,
    ".json": lambda _: JsonFormat(),
    ".jsonl": lambda _: JsonLinesFormat(),
    ".xlsx": _xlsx,
    ".xml": _xml,
}

KNOWN = tuple(_BY_SUFFIX)
"""Endings of names that promise a format."""
