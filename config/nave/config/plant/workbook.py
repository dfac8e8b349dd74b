"""Writes a workbook of one sheet that is the same bytes every time: XlsxWriter, told when the plant thinks it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from io import BytesIO
from typing import Any

from nave.config.plant.world import BASE

Cell = str | int | float | date | None
_FORMATS: dict[type, str] = {datetime: "yyyy-mm-dd hh:mm:ss", date: "yyyy/m/d"}


def workbook(sheet: str, title: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """The bytes of a workbook whose first row is a title and whose second is the header, as exports have them."""
    import xlsxwriter

    stream = BytesIO()
    book = xlsxwriter.Workbook(stream, {"constant_memory": True, "in_memory": True})
    book.set_properties({"created": BASE, "author": "plant"})
    styles = {kind: book.add_format({"num_format": text}) for kind, text in _FORMATS.items()}
    page = book.add_worksheet(sheet)
    page.write_string(0, 0, title)
    for number, row in enumerate((header, *rows), 1):
        for column, cell in enumerate(row):
            _put(page, number, column, cell, styles)
    book.close()
    return stream.getvalue()


def _put(page: Any, row: int, column: int, cell: Cell, styles: dict[type, Any]) -> None:
    if isinstance(cell, str):
        page.write_string(row, column, cell)
    elif isinstance(cell, date):
        page.write_datetime(row, column, cell, styles[type(cell)])
    elif cell is not None:
        page.write_number(row, column, cell)
