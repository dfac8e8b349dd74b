"""CSV into records: a row that does not fit is refused alone, a file that does not fit as a whole."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nave.formats import CsvFormat, Limits, unit
from tests.formats.files import Drip, outcome, written

CSV = CsvFormat()


def test_all_values_are_text_as_written() -> None:
    found = outcome('code,name,n\r\n0007," 盈硕 ",1.50\r\n,"a ""b"", c",-0\r\n'.encode(), CSV)

    assert found.values == [
        {"code": "0007", "name": " 盈硕 ", "n": "1.50"},
        {"code": "", "name": 'a "b", c', "n": "-0"},
    ]


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [1, 2, 5, 100_000])
def test_encodings_marks_and_line_ends(codec: str, end: str, size: int) -> None:
    data = end.join(["工号,姓名", "001,朱镕基", "002,二", ""]).encode(codec)

    found = outcome(Drip(data, size), CSV)

    assert found.values == [{"工号": "001", "姓名": "朱镕基"}, {"工号": "002", "姓名": "二"}]
    assert [row.number for row in found.rows] == [2, 3]


def test_a_gb18030_mark_is_taken_off() -> None:
    assert outcome(b"\x84\x31\x95\x33" + "名\n镕".encode("gb18030"), CSV).values == [{"名": "镕"}]


def test_rows_carry_the_line_and_byte_where_they_begin() -> None:
    data = b'\xef\xbb\xbfa,b\n1,"x\ny"\n\n2,\xe4\xba\x8c\n3,z'

    found = outcome(data, CSV)

    assert unit(CSV) == "line"
    assert [row.number for row in found.rows] == [2, 5, 6]
    assert [data[row.offset : row.offset + 1] for row in found.rows if row.offset is not None] == [b"1", b"2", b"3"]


@pytest.mark.parametrize(("delimiter", "sign"), [("auto", ";"), ("auto", "\t"), ("auto", "|"), (",", ","), ("^", "^")])
def test_delimiters(delimiter: str, sign: str) -> None:
    data = f'"a,b"{sign}c\n1{sign}2\n'.encode()

    assert outcome(data, CsvFormat(delimiter=delimiter)).values == [{"a,b": "1", "c": "2"}]


def test_a_header_may_be_given_and_lines_skipped() -> None:
    options = CsvFormat(header=["a", "b"], skip=2)

    found = outcome(b"Report\n\n1,2\n", options)

    assert found.values == [{"a": "1", "b": "2"}]
    assert found.rows[0].number == 3


def test_quotes_may_be_ordinary_characters() -> None:
    assert outcome(b'size,n\n3/4",1\n', CsvFormat(quote=None)).values == [{"size": '3/4"', "n": "1"}]


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (b"1,2,3", "NAVE-D140"),
        (b"1", "NAVE-D140"),
        (b'"a"b,2', "NAVE-D141"),
        (b"\xff\xfe,2", "NAVE-D103"),
        (b"a\x00b,2", "NAVE-D106"),
    ],
)
def test_a_bad_row_is_refused_whole_and_its_neighbours_go_on(bad: bytes, code: str) -> None:
    good = b"good,row\n" * 100

    found = outcome(b"x,y\n" + good * 100 + bad + b"\n" + good, CSV)

    assert found.error is None
    assert len(found.values) == 10_100
    (refused,) = found.refused
    assert refused.error.code == code
    assert refused.raw == bad.decode("utf-8", "replace") + "\n"
    assert refused.place == (10_002, 4 + 9 * 10_000)
    assert "{" not in refused.error.text() + refused.error.text("zh")


def test_a_quote_that_is_never_closed_ends_at_the_field_limit_and_keeps_all_it_took() -> None:
    data = b'a,b\n1,"open\n' + b"2,x\n" * 1000

    found = outcome(data, CSV, Limits(csv_field=500))

    assert found.refused[0].error.code == "NAVE-D144"
    taken = found.refused[0].raw.count("\n")
    assert found.refused[0].place[0] == 2
    assert len(found.values) == 1000 - (taken - 1)


def test_a_row_over_too_many_lines_ends_the_file() -> None:
    data = b"a,b\n1,2\n" + b'"x\n",' * 1000 + b"end\n"

    found = outcome(data, CSV, Limits(record=1000))

    assert (found.values, found.code) == ([{"a": "1", "b": "2"}], "NAVE-D125")
    assert found.error is not None
    assert found.error.params["place"] == 3


def test_a_file_cut_off_inside_quotes_refuses_its_last_row() -> None:
    found = outcome(b'a,b\n1,2\n3,"cut', CSV)

    assert found.values == [{"a": "1", "b": "2"}]
    assert [refused.error.code for refused in found.refused] == ["NAVE-D141"]


@pytest.mark.parametrize(
    ("data", "options", "code"),
    [
        (b"", CSV, "NAVE-D101"),
        (b"\xef\xbb\xbf", CSV, "NAVE-D146"),
        (b"\n\n", CSV, "NAVE-D146"),
        (b"a,a\n1,2\n", CSV, "NAVE-D142"),
        (b"a,\n1,2\n", CSV, "NAVE-D143"),
        (b'"a\n', CSV, "NAVE-D141"),
        (b"<?xml version='1.0'?><r/>", CSV, "NAVE-D102"),
        (b"<html><body>Error 500</body></html>", CSV, "NAVE-D102"),
        (b'{"a": 1}', CSV, "NAVE-D102"),
        (b"PK\x03\x04", CSV, "NAVE-D102"),
        (b"%PDF-1.7", CSV, "NAVE-D102"),
        (b"a\x00,b\n", CSV, "NAVE-D106"),
        (",".join(map(str, range(5000))).encode(), CSV, "NAVE-D145"),
        ("名,上海盈硕标牌\n".encode("gbk"), CsvFormat(encoding="utf-8"), "NAVE-D103"),
        (b"a\n" + b"x" * 17_000_000, CSV, "NAVE-D125"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_refused(data: bytes, options: CsvFormat, code: str) -> None:
    found = outcome(data, options)

    assert (found.values, found.code) == ([], code)


def test_a_header_without_rows_is_no_fault() -> None:
    assert outcome(b"a,b\r\n", CSV) == ([], None)


@pytest.mark.parametrize("change", [{"encoding": "zlib"}, {"delimiter": "::"}, {"header": []}, {"colour": "red"}])
def test_options_that_make_no_sense_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        CsvFormat.model_validate(change)


CELL = st.text(alphabet=st.sampled_from('a0,;"\n\r\t =镕𠮷'), max_size=6)


@given(
    st.lists(st.fixed_dictionaries({"k": st.just("x"), 'é, "q"': CELL, "客户": CELL}), max_size=5),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["utf-8", "gb18030", "utf-16-le"]),
    st.integers(1, 30),
)
def test_what_is_written_reads_back_the_same(rows: list[dict[str, str]], delimiter: str, codec: str, size: int) -> None:
    options = CsvFormat(delimiter=delimiter, encoding=codec)

    found = outcome(Drip(written(rows, options, ["k", 'é, "q"', "客户"]), size), options)

    assert (found.values, found.error) == (rows, None)
