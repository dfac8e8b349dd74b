"""Reads one sheet of an Excel workbook row by row, after its archive has been looked through."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from io import BytesIO
from posixpath import normpath
from typing import TYPE_CHECKING, Any, BinaryIO

from nave.core.errors import PermanentError
from nave.core.protocols import Raw
from nave.formats.archive import Archive
from nave.formats.headers import checked
from nave.formats.kinds import magic, opened
from nave.formats.limits import Limits
from nave.formats.options import XlsxFormat, XmlFormat
from nave.formats.rows import Row, refused, shown
from nave.formats.sheetscan import Extent, scan
from nave.formats.xmlfile import read_xml

if TYPE_CHECKING:
    from python_calamine import CalamineSheet

_EXACT = 2**53
_BOOK = "xl/workbook.xml"
_LINKS = "xl/_rels/workbook.xml.rels"


def read_xlsx(stream: BinaryIO, options: XlsxFormat, limits: Limits) -> Iterator[Row]:
    """Every row below the header that is not blank, numbered as Excel numbers it; empty cells are None.

    The packed file is held in memory. A row with an error value, or with a value under no column name, is refused.
    """
    data = _whole(stream, limits)
    archive = Archive(data, limits)
    extents = {name: scan(shown(name), archive.pieces(name), limits) for name in archive.entries}
    with _translating():
        from python_calamine import CalamineWorkbook

        with CalamineWorkbook.from_filelike(BytesIO(data)) as book:
            name = _chosen(book.sheet_names, options.sheet)
            extent = extents[_part(data, book.sheet_names.index(name), limits)]
            yield from _rows(book.get_sheet_by_name(name), extent, options, limits)


def _whole(stream: BinaryIO, limits: Limits) -> bytes:
    head = opened(stream, "XLSX")
    kind = magic(head)
    if kind == "XLS/OLE":
        raise PermanentError("NAVE-D151", found=kind)
    if kind != "ZIP/XLSX":
        raise PermanentError("NAVE-D102", expected="XLSX", found=kind or shown(head[:40].decode("latin-1")))
    parts = [head]
    size = len(head)
    while size <= limits.xlsx_file and (piece := stream.read(1 << 20)):
        parts.append(piece)
        size += len(piece)
    if size > limits.xlsx_file:
        raise PermanentError("NAVE-D154", name="*", limit=limits.xlsx_file)
    return b"".join(parts)


@contextmanager
def _translating() -> Iterator[None]:
    """What the library raises, as our own errors; its panics are no `Exception`."""
    from python_calamine import CalamineError, PasswordError

    try:
        yield
    except PasswordError:
        raise PermanentError("NAVE-D151", found="encrypted") from None
    except CalamineError as error:
        raise PermanentError("NAVE-D150", reason=shown(error)) from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise PermanentError("NAVE-D150", reason=shown(error)) from None


def _chosen(names: Sequence[str], wanted: str | int | None) -> str:
    if isinstance(wanted, str) and wanted in names:
        return wanted
    number = 1 if wanted is None else wanted
    if isinstance(number, int) and number <= len(names):
        return names[number - 1]
    raise PermanentError("NAVE-D157", sheet=shown(wanted), known=shown(", ".join(names)))


def _part(data: bytes, index: int, limits: Limits) -> str:
    """The archive's entry that holds the sheet at `index`, as the workbook's own links name it."""
    from zipfile import ZipFile

    with ZipFile(BytesIO(data)) as archive:
        names = set(archive.namelist())
        if not {_BOOK, _LINKS} <= names:
            raise PermanentError("NAVE-D150", reason=f"{_BOOK}?")
        sheets = _elements(archive.read(_BOOK), "sheets/sheet", limits)
        links = _elements(archive.read(_LINKS), "Relationship", limits)
    targets = {link.get("@Id"): str(link.get("@Target")) for link in links}
    target = targets.get(sheets[index].get("@id"), "") if index < len(sheets) else ""
    path = normpath(target.lstrip("/") if target.startswith(("/", "xl/")) else f"xl/{target}")
    if path not in names or len(targets) != len(links):
        raise PermanentError("NAVE-D150", reason=f"{shown(target)}?")
    return path


def _elements(data: bytes, record: str, limits: Limits) -> list[Raw]:
    rows = read_xml(BytesIO(data), XmlFormat(record=record), limits)
    return [row.value for row in rows if isinstance(row.value, dict)]


def _rows(sheet: CalamineSheet, extent: Extent, options: XlsxFormat, limits: Limits) -> Iterator[Row]:
    reached = sheet.end[0] + 1 if sheet.end else 0
    if reached < extent.last_value:
        raise PermanentError("NAVE-D158", found=reached, expected=extent.last_value)
    header: list[str | None] | None = None
    for number, cells in enumerate(sheet.iter_rows(), 1):
        if number < options.header_row:
            continue
        values = [_AS[type(cell)](cell) for cell in cells]
        if header is None:
            header = _header(values, number, extent, limits)
        elif number in extent.errors:
            yield refused(_flat(values), _error_cell(extent.errors[number]), number, None)
        elif values.count(None) < len(values):
            yield _row(header, values, number)
    if header is None:
        raise PermanentError("NAVE-D146")


def _header(values: Sequence[Any], number: int, extent: Extent, limits: Limits) -> list[str | None]:
    if number in extent.errors:
        raise _error_cell(extent.errors[number])
    header = [None if value is None else str(value) for value in values]
    named = checked([name for name in header if name is not None], limits)
    if not named:
        raise PermanentError("NAVE-D146")
    return header


def _row(header: Sequence[str | None], values: Sequence[Any], number: int) -> Row:
    record: dict[Any, Any] = dict(zip(header, values, strict=True))
    if None in record:
        del record[None]
        for place, (name, value) in enumerate(zip(header, values, strict=True), 1):
            if name is None and value is not None:
                error = PermanentError("NAVE-D160", row=number, column=place, value=shown(value))
                return refused(_flat(values), error, number, None)
    return Row(record, number, None)


def _flat(values: Sequence[Any]) -> str:
    return "\t".join("" if value is None else str(value) for value in values)


def _error_cell(place: str) -> PermanentError:
    return PermanentError("NAVE-D159", cell=place)


def _number(value: float) -> int | Decimal:
    if value.is_integer():
        return int(value) if abs(value) < _EXACT else int(Decimal(repr(value)))
    return Decimal(repr(value))


def _moment(value: datetime) -> str:
    odd = value.microsecond % 1000
    return value.isoformat(" ", "microseconds" if odd else "milliseconds" if value.microsecond else "seconds")


def _span(value: timedelta) -> str:
    """A duration as Excel shows it, hours beyond 24 included: 36:00:00."""
    seconds = round(value.total_seconds())
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    return f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


_AS: Mapping[type, Callable[[Any], Any]] = {
    str: lambda value: value or None,
    float: _number,
    int: int,
    bool: bool,
    datetime: _moment,
    date: date.isoformat,
    time: time.isoformat,
    timedelta: _span,
}
