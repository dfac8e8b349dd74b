"""What files look like to those who open them, and what is refused rather than changed."""

from __future__ import annotations

import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nave.core.errors import NaveError
from nave.formats import (
    AttlogFormat,
    CsvFormat,
    JsonFormat,
    JsonLinesFormat,
    XlsxFormat,
    XmlFormat,
    write,
)
from tests.formats.files import Drip, outcome, written

ROW = {
    "text": "盈硕",
    "amount": Decimal("1130.050"),
    "count": 3,
    "ok": True,
    "none": None,
    "day": date(2026, 11, 21),
    "at": datetime(2026, 11, 21, 6, 20, 3, tzinfo=UTC),
    "lines": [{"n": 1}],
}


def test_csv_says_every_value_in_full() -> None:
    header, row, rest = written([ROW], CsvFormat()).decode().split("\r\n")

    assert header == "text,amount,count,ok,none,day,at,lines"
    assert row == '盈硕,1130.050,3,true,,2026-11-21,2026-11-21 06:20:03+00:00,"[{""n"":1}]"'
    assert rest == ""


def test_json_keeps_every_digit() -> None:
    assert written([{"a": Decimal("12345678901234567.890")}], JsonLinesFormat()) == b'{"a":12345678901234567.890}\n'
    assert written([], JsonFormat(record="d/l")) == b'{"d":{"l":[\n]}}\n'


def test_xml_mirrors_what_the_reader_makes() -> None:
    row = {"@id": "1", "Name": "<&>", "Line": [{"P": "a"}, {"P": "b"}], "None": None, "Q": {"@unit": "kg", "#text": "5"}}

    data = written([row], XmlFormat(record="Orders/Order")).decode()

    assert data.splitlines()[1:] == [
        "<Orders>",
        '<Order id="1"><Name>&lt;&amp;&gt;</Name><Line><P>a</P></Line><Line><P>b</P></Line><Q unit="kg">5</Q></Order>',
        "</Orders>",
    ]


@pytest.mark.parametrize("options", [CsvFormat(), XlsxFormat()])
def test_columns_decide_the_order_and_an_absent_field_is_empty(options: Any) -> None:
    found = outcome(written([{"b": "1"}, {"a": "2", "b": "3"}], options, ["a", "b"]), options)

    assert [list(value) for value in found.values] == [["a", "b"], ["a", "b"]]
    assert found.values[1] == {"a": "2", "b": "3"}


@pytest.mark.parametrize("options", [CsvFormat(), XlsxFormat()])
def test_a_field_without_a_column_is_an_error_not_a_loss(options: Any) -> None:
    with pytest.raises(NaveError) as caught:
        written([{"a": "1"}, {"a": "2", "b": "3"}], options)

    assert (caught.value.code, caught.value.params) == ("NAVE-D183", {"number": 2, "name": "b"})


FORMULAS = [
    "=1+1",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "＝1+1",
    "＋1+1",
    "－a",
    "＠x",
    " =1",
    "=HYPERLINK(1)",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_text_that_would_run_is_escaped_for_people_and_kept_for_machines(text: str) -> None:
    people = CsvFormat(spreadsheet=True)

    assert outcome(written([{"a": text, "b": "x"}], people), people).values == [{"a": f"'{text}", "b": "x"}]
    assert outcome(written([{"a": text, "b": "x"}], CsvFormat()), CsvFormat()).values == [{"a": text, "b": "x"}]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_workbook_never_holds_a_formula(text: str) -> None:
    data = written([{text: text}], XlsxFormat())

    assert b"<f>" not in zipfile.ZipFile(BytesIO(data)).read("xl/worksheets/sheet1.xml")


@pytest.mark.parametrize("number", ["-5", "+5", "-1.5", "+86", "-3%", "-1,000.00"])
def test_numbers_are_no_formulas(number: str) -> None:
    data = written([{"a": number}], CsvFormat(spreadsheet=True, delimiter=";"))

    assert data.startswith(b"\xef\xbb\xbf")
    assert data.decode("utf-8-sig") == f"a\r\n{number}\r\n"


def test_the_same_records_give_the_same_workbook() -> None:
    assert written([ROW], XlsxFormat()) == written([ROW], XlsxFormat())


def test_numbers_that_excel_would_round_go_out_as_text() -> None:
    row = {"code": 12345678901234567890, "price": Decimal("0.1234567890123456789"), "fits": Decimal("0.1")}

    found = outcome(written([row], XlsxFormat()), XlsxFormat())

    assert found.values == [{"code": "12345678901234567890", "price": "0.1234567890123456789", "fits": Decimal("0.1")}]


@pytest.mark.parametrize(
    ("options", "row", "code"),
    [
        (XmlFormat(record="r"), {"a": "\x01"}, "NAVE-D180"),
        (XmlFormat(record="r"), {"1a": "x"}, "NAVE-D181"),
        (XmlFormat(record="r"), {"a b": "x"}, "NAVE-D181"),
        (XmlFormat(record="r"), {"@": "x"}, "NAVE-D181"),
        (XlsxFormat(), {"a": "x" * 32_768}, "NAVE-D180"),
        (XlsxFormat(), {str(n): n for n in range(16_385)}, "NAVE-D182"),
        (CsvFormat(encoding="gb18030"), {"a": "\ud800"}, "NAVE-D180"),
        (CsvFormat(encoding="big5"), {"a": "镕"}, "NAVE-D180"),
        (CsvFormat(quote=None), {"a": "x,y"}, "NAVE-D180"),
        (JsonFormat(), {"a": Decimal("NaN")}, "NAVE-D180"),
        (JsonLinesFormat(), {"a": [float("inf")]}, "NAVE-D180"),
        (JsonLinesFormat(), {"a": "\ud800"}, "NAVE-D180"),
        (AttlogFormat(), {"pin": "1"}, "NAVE-D184"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(options: Any, row: dict[str, Any], code: str) -> None:
    with pytest.raises(NaveError) as caught:
        write([row], BytesIO(), options)

    assert caught.value.code == code
    assert caught.value.text("zh")


def test_rows_are_written_while_they_come() -> None:
    stream = BytesIO()
    sizes = []

    def rows() -> Any:
        for number in range(3):
            sizes.append(len(stream.getvalue()))
            yield {"a": number}

    assert write(rows(), stream, JsonLinesFormat()) == 3
    assert sizes == sorted(set(sizes))


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=[*map(chr, range(32)), "\ufffe", "\uffff"]))
LEAF = TEXT | st.sampled_from(["\r\n", "\t", "a\rb", "]]>"])
TREE = st.recursive(
    LEAF,
    lambda inner: st.dictionaries(
        st.sampled_from(["a", "乙", "c-1", "_d"]), inner | st.lists(inner, min_size=2, max_size=3), min_size=1
    ),
    max_leaves=6,
).filter(lambda value: isinstance(value, dict))


@given(st.lists(TREE, max_size=4), st.integers(1, 40))
def test_xml_that_is_written_reads_back_the_same(rows: list[Any], size: int) -> None:
    options = XmlFormat(record="Rows/Row")

    found = outcome(Drip(written(rows, options), size), options)

    assert (found.values, found.error) == (rows, None)
