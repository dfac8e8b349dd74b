"""Writes one sheet of an Excel workbook, row by row, in constant memory; no text ever becomes a formula."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, BinaryIO

from nave.core.errors import PermanentError
from nave.formats.cells import cell
from nave.formats.options import XlsxFormat
from nave.formats.rows import shown
from nave.formats.tables import Record, laid_out

if TYPE_CHECKING:
    from xlsxwriter.format import Format as CellFormat
    from xlsxwriter.worksheet import Worksheet

_ROWS, _COLUMNS, _TEXT = 1_048_576, 16_384, 32_767
_EXACT = 10**15
_EPOCH = date(1900, 3, 1)
"""Before this day Excel's calendar is wrong: dates go out as text."""


def write_xlsx(rows: Iterable[Record], stream: BinaryIO, options: XlsxFormat, columns: Sequence[str] | None) -> int:
    """Header in `header_row`, a row per record below it.

    Numbers that Excel would round (more than 15 digits), and times with a zone, go out as text. NAVE-D180 for text
    above 32,767 characters, NAVE-D182 for more rows or columns than a sheet has.
    """
    import xlsxwriter

    settings = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(stream, settings) as book:
        # The same records give the same bytes, so that a repeated export can be recognised.
        book.set_properties({"created": datetime(2000, 1, 1, tzinfo=UTC)})
        sheet = book.add_worksheet(options.sheet if isinstance(options.sheet, str) else None)
        days = book.add_format({"num_format": "yyyy-mm-dd"})
        moments = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000"})
        names, values = laid_out(rows, columns)
        if len(names) > _COLUMNS:
            raise PermanentError("NAVE-D182", limit=_COLUMNS)
        _write_row(sheet, options.header_row - 1, names, days, moments)
        count = 0
        for number, row in enumerate(values, options.header_row):
            if number >= _ROWS:
                raise PermanentError("NAVE-D182", limit=_ROWS)
            _write_row(sheet, number, row, days, moments)
            count += 1
    return count


def _write_row(sheet: Worksheet, row: int, values: Sequence[Any], days: CellFormat, moments: CellFormat) -> None:
    for column, value in enumerate(values):
        if type(value) is str:
            _write_text(sheet, row, column, value)
        elif value is None:
            continue
        elif isinstance(value, bool):
            sheet.write_boolean(row, column, value)
        elif isinstance(value, int | Decimal) and _fits(value):
            sheet.write_number(row, column, float(value))
        elif isinstance(value, datetime) and value.tzinfo is None and value.date() >= _EPOCH:
            sheet.write_datetime(row, column, value, moments)
        elif isinstance(value, date) and not isinstance(value, datetime) and value >= _EPOCH:
            sheet.write_datetime(row, column, value, days)
        else:
            _write_text(sheet, row, column, value)


def _fits(value: int | Decimal) -> bool:
    """Whether a spreadsheet keeps this number as it is."""
    if type(value) is int:
        return -_EXACT < value < _EXACT
    number = Decimal(value)
    return number.is_finite() and len(number.normalize().as_tuple().digits) <= 15 and abs(number.adjusted()) < 15


def _write_text(sheet: Worksheet, row: int, column: int, value: Any) -> None:
    text = value if type(value) is str else cell(value)
    if len(text) > _TEXT:
        raise PermanentError("NAVE-D180", format="XLSX", value=shown(text))
    sheet.write_string(row, column, text)
