"""Workbooks into records, and what makes one dangerous."""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from nave.formats import Limits, XlsxFormat, unit
from tests.formats.files import Drip, outcome, written

XLSX = XlsxFormat()
SHEET = "xl/worksheets/sheet1.xml"


def workbook(fill: Callable[[Any, Any], None], *names: str) -> bytes:
    stream = BytesIO()
    with xlsxwriter.Workbook(stream) as book:
        for name in names or ("Sheet1",):
            fill(book, book.add_worksheet(name))
    return stream.getvalue()


def table(*rows: list[Any]) -> bytes:
    def fill(_book: Any, sheet: Any) -> None:
        for number, row in enumerate(rows):
            for column, value in enumerate(row):
                if isinstance(value, str):
                    sheet.write_string(number, column, value)
                elif value is not None:
                    sheet.write(number, column, value)

    return workbook(fill)


def patched(data: bytes, change: Callable[[bytes], bytes], part: str = SHEET, **more: bytes) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            content = old.read(entry)
            new.writestr(entry.filename, change(content) if entry.filename == part else content)
        for name, content in more.items():
            new.writestr(name, content)
    return out.getvalue()


def test_cells_keep_their_types_and_numeric_text_stays_text() -> None:
    def fill(book: Any, sheet: Any) -> None:
        days, moments = (book.add_format({"num_format": form}) for form in ("yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss.000"))
        clock, hours = (book.add_format({"num_format": form}) for form in ("hh:mm:ss", "[h]:mm:ss"))
        sheet.write_row(0, 0, ["text", "int", "frac", "bool", "day", "moment", "clock", "hours", "none", "big", "sum"])
        sheet.write_string(1, 0, "000123")
        sheet.write_number(1, 1, 5)
        sheet.write_number(1, 2, 1130.05)
        sheet.write_boolean(1, 3, True)
        sheet.write_datetime(1, 4, datetime.fromisoformat("2026-11-21"), days)
        sheet.write_datetime(1, 5, datetime.fromisoformat("2026-11-21 14:20:03.118"), moments)
        sheet.write_datetime(1, 6, time(1, 2, 3), clock)
        sheet.write_datetime(1, 7, timedelta(hours=36), hours)
        sheet.write_number(1, 9, 1e18)
        sheet.write_formula(1, 10, "=B2+1", None, 6)

    found = outcome(workbook(fill), XLSX)

    assert found.error is None
    assert found.values == [
        {
            "text": "000123",
            "int": 5,
            "frac": Decimal("1130.05"),
            "bool": True,
            "day": "2026-11-21",
            "moment": "2026-11-21 14:20:03.118",
            "clock": "01:02:03",
            "hours": "36:00:00",
            "none": None,
            "big": 10**18,
            "sum": 6,
        }
    ]
    assert [type(value) for value in found.values[0].values()][:4] == [str, int, Decimal, bool]


def test_rows_are_numbered_as_excel_does_and_blank_ones_left_out() -> None:
    data = table(["Report"], [], ["a", "b"], [1, None], [], [None, 2])

    found = outcome(data, XlsxFormat(header_row=3))

    assert unit(XLSX) == "row"
    assert [(row.number, row.value) for row in found.rows] == [(4, {"a": 1, "b": None}), (6, {"a": None, "b": 2})]


@pytest.mark.parametrize(("sheet", "expected"), [(None, "一"), (1, "一"), (2, "二"), ("二", "二")])
def test_sheets_are_found_by_name_or_number(sheet: str | int | None, expected: str) -> None:
    data = workbook(lambda _book, sheet: sheet.write_column(0, 0, ["name", sheet.name]), "一", "二")

    assert outcome(Drip(data, 999), XlsxFormat(sheet=sheet)).values == [{"name": expected}]


def test_an_error_value_is_refused_and_never_an_empty_cell() -> None:
    def fill(_book: Any, sheet: Any) -> None:
        sheet.write_row(0, 0, ["a", "b"])
        sheet.write_row(1, 0, [1, 2])
        sheet.write_number(2, 0, 3)
        sheet.write_formula(2, 1, "=1/0", None, "#DIV/0!")
        sheet.write_row(3, 0, [5, 6])

    found = outcome(workbook(fill, "x", "y"), XlsxFormat(sheet="y"))

    assert found.values == [{"a": 1, "b": 2}, {"a": 5, "b": 6}]
    (refused,) = found.refused
    assert (refused.error.code, refused.place, refused.error.params["cell"]) == ("NAVE-D159", (3, None), "B3")


def test_a_value_under_no_name_is_refused_alone() -> None:
    found = outcome(table(["a", None, "c"], [1, None, 3], [1, "lost", 3], [4, None, 6]), XLSX)

    assert found.values == [{"a": 1, "c": 3}, {"a": 4, "c": 6}]
    assert [(one.error.code, one.place[0], one.raw) for one in found.refused] == [("NAVE-D160", 3, "1\tlost\t3")]


@pytest.mark.parametrize(
    ("data", "options", "code"),
    [
        (b"", XLSX, "NAVE-D101"),
        (b"a,b\n1,2\n", XLSX, "NAVE-D102"),
        (b"<html></html>", XLSX, "NAVE-D102"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), XLSX, "NAVE-D151"),
        (b"PK\x03\x04" + b"x" * 99, XLSX, "NAVE-D150"),
        (table(["a"])[:-40], XLSX, "NAVE-D150"),
        (table(["a"], [1]), XlsxFormat(sheet="none"), "NAVE-D157"),
        (table(["a"], [1]), XlsxFormat(sheet=2), "NAVE-D157"),
        (table(["a", "a"], [1, 2]), XLSX, "NAVE-D142"),
        (table(), XLSX, "NAVE-D146"),
        (table(["a"]), XlsxFormat(header_row=9), "NAVE-D146"),
    ],
)
def test_what_is_no_readable_workbook_is_refused(data: bytes, options: XlsxFormat, code: str) -> None:
    found = outcome(data, options)

    assert (found.values, found.code) == ([], code)
    assert found.error is not None
    assert "{" not in found.error.text() + found.error.text("zh") + found.error.help("zh")


def test_two_cells_in_far_corners_are_refused_before_they_take_all_memory() -> None:
    far = b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'

    assert outcome(patched(table(["a"]), lambda xml: xml.replace(b"</sheetData>", far)), XLSX).code == "NAVE-D156"


@pytest.mark.parametrize(
    "change",
    [
        lambda xml: xml.replace(b'r="A1"', b'r="ZZZZ9"'),
        lambda xml: xml.replace(b'<c r="A1"', b'<x:c r="XFD1048576"').replace(b"<sheetData", b'<sheetData xmlns:x="u"'),
        lambda xml: xml.replace(b'<c r="A1"', b"<c r='XFD1048576'"),
        lambda xml: xml.replace(b'<c r="A1"', b'<c r = "XFD1048576"'),
        lambda xml: xml.replace(b'<c r="A1"', b'<c r="&#88;FD1048576"'),
        lambda xml: xml.replace(b'<c r="A1"', b'<c r="xfd1048576"'),
        lambda xml: xml.replace(b'<c r="A1"', b'<c\n\tr="XFD1048576"'),
        lambda xml: xml.replace(b'<c r="A1"', b'<c r="XFD1048576" foo="<"'),
    ],
)
def test_no_spelling_of_a_far_cell_gets_past(change: Callable[[bytes], bytes]) -> None:
    found = outcome(patched(table(["a"], [1], [2]), change), XLSX)

    assert found.code in ("NAVE-D156", "NAVE-D162", "NAVE-D150")


def test_cells_without_references_are_counted_where_they_stand() -> None:
    def strip(xml: bytes) -> bytes:
        return re.sub(rb' r="[A-Z]?[0-9]+"', b"", xml)

    data = patched(table(["a", "b"], ["1", "2"]), strip)

    assert outcome(data, XLSX).values == [{"a": "1", "b": "2"}]
    wide = b"<row>" + b"<c/>" * 3000 + b"</row>" + b"<row><c/></row>" * 3000 + b"</sheetData>"
    assert outcome(patched(data, lambda xml: xml.replace(b"</sheetData>", wide)), XLSX).code == "NAVE-D156"


@pytest.mark.parametrize("size", [b"A1:A1", b"A1:XFD1048576", b"nonsense"])
def test_the_size_that_a_sheet_declares_is_not_believed(size: bytes) -> None:
    data = patched(table(["a"], *([n] for n in range(50))), lambda xml: xml.replace(b'"A1:A51"', b'"' + size + b'"'))

    found = outcome(data, XLSX)

    assert found.error is not None or len(found.values) == 50


@pytest.mark.parametrize("text", [b"<!DOCTYPE x>", b'<!DOCTYPE x [<!ENTITY a "b">]>', b"<!ENTITY a 'b'>"])
@pytest.mark.parametrize("part", [SHEET, "xl/workbook.xml", "xl/_rels/workbook.xml.rels", "[Content_Types].xml"])
def test_a_document_type_in_any_part_is_refused(text: bytes, part: str) -> None:
    data = patched(table(["a"], [1]), lambda xml: xml.replace(b"?>", b"?>" + text, 1), part)

    assert outcome(data, XLSX).code == "NAVE-D161"


def test_a_part_in_utf16_hides_nothing() -> None:
    data = patched(table(["a"], [1]), lambda xml: xml.decode().encode("utf-16"))

    assert outcome(data, XLSX).code == "NAVE-D161"


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (Limits(zip_entries=5), "NAVE-D153"),
        (Limits(zip_total=2000), "NAVE-D154"),
        (Limits(zip_entry=500), "NAVE-D154"),
        (Limits(xlsx_file=1000), "NAVE-D154"),
        (Limits(xlsx_cells=3), "NAVE-D156"),
    ],
)
def test_limits_of_the_archive(limits: Limits, code: str) -> None:
    assert outcome(Drip(table(["a", "b"], [1, 2]), 500), XLSX, limits).code == code


def test_a_bomb_is_refused_while_it_unpacks() -> None:
    bomb = patched(table(["a"], [1]), lambda xml: xml.replace(b"</sheetData>", b" " * 30_000_000 + b"</sheetData>"))

    assert len(bomb) < 50_000
    assert outcome(bomb, XLSX).code == "NAVE-D155"


def _central(data: bytes, name: str) -> int:
    """Where the directory's entry of `name` begins."""
    at = -1
    while (at := data.index(b"PK\x01\x02", at + 1)) >= 0:
        length = struct.unpack_from("<H", data, at + 28)[0]
        if data[at + 46 : at + 46 + length] == name.encode():
            return at
    raise AssertionError(name)


@pytest.mark.parametrize(
    ("offset", "change"),
    [
        (20, lambda value: value - 9),
        (24, lambda value: value - 100),
        (24, lambda value: value + 100),
        (16, lambda value: value ^ 1),
        (42, lambda value: 0),
    ],
    ids=["packed size", "smaller size", "larger size", "checksum", "offset of another entry"],
)
def test_a_directory_that_contradicts_the_entry_is_refused(offset: int, change: Callable[[int], int]) -> None:
    data = bytearray(table(["a"], [1]))
    field = _central(bytes(data), SHEET) + offset
    struct.pack_into("<L", data, field, change(struct.unpack_from("<L", data, field)[0]))

    assert outcome(bytes(data), XLSX).code == "NAVE-D152"


def test_both_headers_lying_alike_are_refused() -> None:
    data = bytearray(table(["a"], *([n] for n in range(99))))
    central = _central(bytes(data), SHEET)
    local = struct.unpack_from("<L", data, central + 42)[0]
    size = struct.unpack_from("<L", data, central + 24)[0]
    struct.pack_into("<L", data, central + 24, size - 500)
    struct.pack_into("<L", data, local + 22, size - 500)

    assert outcome(bytes(data), XLSX).code == "NAVE-D152"


def test_two_entries_of_one_name_are_refused() -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        data = patched(table(["a"], [1]), lambda xml: xml, **{SHEET: b"<worksheet/>"})

    assert outcome(data, XLSX).code == "NAVE-D152"


def test_a_shared_text_that_is_not_there_is_an_error() -> None:
    data = patched(table(["a"], ["x"]), lambda xml: xml.replace(b"<v>1</v>", b"<v>99</v>"))

    assert outcome(data, XLSX).code == "NAVE-D150"


@given(st.binary(max_size=300), st.integers(0, 5000))
@settings(max_examples=60)
def test_a_damaged_workbook_never_ends_in_anything_but_a_named_error(noise: bytes, at: int) -> None:
    data = table(["a", "b"], *([n, str(n)] for n in range(30)))
    at %= len(data)

    found = outcome(data[:at] + noise + data[at + len(noise) :], XLSX)

    assert found.error is not None or len(found.rows) == 30


CELLS = (
    st.none()
    | st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=9)
    | st.booleans()
    | st.integers(-(10**14), 10**14)
    | st.decimals(-(10**6), 10**6, places=4).filter(lambda value: value % 1 != 0)
    | st.dates(date(1900, 3, 1))
)


@given(st.lists(st.fixed_dictionaries({"k": st.just("x"), "一": CELLS, "b": CELLS}), max_size=5))
@settings(max_examples=60)
def test_what_is_written_reads_back_the_same(rows: list[dict[str, Any]]) -> None:
    found = outcome(written(rows, XLSX, ["k", "一", "b"]), XLSX)

    expected = [
        {name: value.isoformat() if isinstance(value, date) else value for name, value in row.items()} for row in rows
    ]
    assert (found.values, found.error) == (expected, None)
