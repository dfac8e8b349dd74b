"""Looks through a workbook's parts before they are loaded: how large a sheet is, what it must hold, where its errors are.

The loader takes memory for the whole rectangle up to the last cell, so that two cells in far corners end the process,
and it gives cells that hold an error as empty ones. Both are seen here first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from nave.core.errors import PermanentError
from nave.formats.limits import Limits

_CELL = re.compile(rb"<(?:[^\s<>/:]+:)?c(?=[\s/>])")
_CELL_TAG = re.compile(rb"<(?:[^\s<>/:]+:)?c\s[^>]*>")
_ROW = re.compile(rb"<(?:[^\s<>/:]+:)?row(?=[\s/>])")
_PLAIN_CELL = re.compile(rb'<c r="([A-Z]{1,3})([0-9]{1,7})"')
_PLACE = re.compile(rb"""\sr=["']([A-Z]{1,4})([0-9]{1,8})["']""")
_ROW_PLACE = re.compile(rb"""\sr=["']([0-9]{1,8})["']""")
_ANY_PLACE = re.compile(rb"\sr\s*=")
_ERROR = re.compile(rb"""\st\s*=\s*["']e["']""")
_FORBIDDEN = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_VALUES = (b"<v>", b":v>", b"<is>", b":is>")
_TEXTS = (b"<si>", b"<si ", b":si>", b":si ")
_WIDE = (b"\xff\xfe", b"\xfe\xff", b"<\x00", b"\x00<")
_LAST_ROW, _LAST_COLUMN = 1_048_576, 16_384


@dataclass
class Extent:
    """What a part holds: the last row and column (from 1) of any cell, the last row with a value, the rows with errors."""

    rows: int = 0
    columns: int = 0
    last_value: int = 0
    unfinished: int = 0
    """Cells of the row that goes on in the next piece, where cells do not say where they are."""
    errors: dict[int, str] = field(default_factory=dict)
    """The first cell with an error in each of these rows: {7: "C7"}."""


def scan(name: str, pieces: Iterable[bytes], limits: Limits) -> Extent:
    """Read one part to its end; NAVE-D156 too many cells, NAVE-D161 a document type, NAVE-D162 odd cell references."""
    found = Extent()
    counted = 0
    for part in _whole_tags(name, pieces, limits):
        cells, places = _cells(part)
        counted += cells or sum(map(part.count, _TEXTS))
        if cells or places:
            _measure(name, part, cells, places, found)
        if found.rows > _LAST_ROW or found.columns > _LAST_COLUMN:
            raise PermanentError("NAVE-D162", name=name)
        if max(counted, found.rows * found.columns) > limits.xlsx_cells:
            raise PermanentError("NAVE-D156", name=name, limit=limits.xlsx_cells)
    return found


def _whole_tags(name: str, pieces: Iterable[bytes], limits: Limits) -> Iterator[bytes]:
    """The part again, cut only where a tag begins; refused where it is no plain XML."""
    rest = b""
    for number, piece in enumerate(pieces):
        data = rest + piece
        if (number == 0 and data.startswith(_WIDE)) or (b"<!" in data and _FORBIDDEN.search(data)):
            raise PermanentError("NAVE-D161", name=name)
        cut = max(data.rfind(b"<"), 0)
        rest = data[cut:]
        if len(rest) > limits.record:
            raise PermanentError("NAVE-D125", limit=limits.record, place=name)
        yield data[:cut]
    yield rest


def _cells(part: bytes) -> tuple[int, list[tuple[bytes, bytes]]]:
    """How many cells there are, and where those say they are that say it; quick where nothing else looks like a cell."""
    places = _PLAIN_CELL.findall(part)
    if len(places) == part.count(b"<c") + part.count(b":c"):
        return len(places), places
    return len(_CELL.findall(part)), _PLACE.findall(part)


def _measure(name: str, part: bytes, cells: int, places: list[tuple[bytes, bytes]], found: Extent) -> None:
    columns = max(map(_column, {letters for letters, _ in places}), default=0)
    rows = max(map(int, {digits for _, digits in places}), default=0)
    if len(places) < cells:
        implied = _implied(name, part, len(places), found)
        columns += implied[1]
        rows = max(rows, found.rows + implied[0], *map(int, _ROW_PLACE.findall(part)))
    found.rows = max(found.rows, rows)
    found.columns = max(found.columns, columns)
    last = max(map(part.rfind, _VALUES))
    near = _PLACE.findall(part, max(last - 600, 0), max(last, 0))
    found.last_value = max(found.last_value, int(near[-1][1])) if near else found.last_value
    if (b'"e"' in part or b"'e'" in part) and _ERROR.search(part):
        _errors(name, part, found)


def _implied(name: str, part: bytes, places: int, found: Extent) -> tuple[int, int]:
    """How many rows, and cells in one row, a part may have that do not say where they are."""
    if len(_ANY_PLACE.findall(part)) > places + len(_ROW_PLACE.findall(part)):
        raise PermanentError("NAVE-D162", name=name)
    rows = [len(_CELL.findall(row)) for row in _ROW.split(part)]
    rows[0] += found.unfinished
    found.unfinished = rows[-1]
    return len(rows), max(rows)


def _errors(name: str, part: bytes, found: Extent) -> None:
    for tag in _CELL_TAG.findall(part):
        if _ERROR.search(tag):
            place = _PLACE.search(tag)
            if place is None:
                raise PermanentError("NAVE-D162", name=name)
            found.errors.setdefault(int(place[2]), (place[1] + place[2]).decode())


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number
