"""Fixed-width lines, counted in characters or bytes, and the logs of time clocks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nave.formats import AttlogFormat, FixedColumn, FixedFormat
from tests.formats.files import Drip, outcome

COLUMNS = [FixedColumn(name="code", start=1, width=5), FixedColumn(name="name", start=6, width=6)]
PUNCH = "    7\t2026-11-21 08:00:03\t1\t0\t1\t0"


def fixed(**options: Any) -> FixedFormat:
    return FixedFormat(columns=COLUMNS, **options)


def test_columns_are_text_as_written() -> None:
    found = outcome(b"00012 ab  c \r\n00013xxxxxx rest\n", fixed())

    assert found.values == [{"code": "00012", "name": " ab  c"}, {"code": "00013", "name": "xxxxxx"}]
    assert [(row.number, row.offset) for row in found.rows] == [(1, 0), (2, 14)]


def test_padding_is_taken_off_on_request() -> None:
    assert outcome(b"1    ab    ", fixed(trim=True)).values == [{"code": "1", "name": "ab"}]


def test_gbk_exports_count_a_chinese_character_as_two_bytes() -> None:
    data = "A0001盈硕  \r\nA0002朱镕基\r\n".encode("gbk")

    by_bytes = outcome(data, fixed(unit="bytes"))
    by_characters = outcome(data, fixed(encoding="gbk"))

    assert [value["name"] for value in by_bytes.values] == ["盈硕  ", "朱镕基"]
    assert [one.error.code for one in by_characters.refused] == ["NAVE-D170", "NAVE-D170"]


def test_a_column_that_cuts_a_character_is_refused_alone() -> None:
    data = "A001盈硕   \nA0002盈硕  \n".encode("gbk")

    found = outcome(data, fixed(unit="bytes"))

    assert found.values == [{"code": "A0002", "name": "盈硕  "}]
    assert [(one.error.code, one.place) for one in found.refused] == [("NAVE-D171", (1, 0))]


def test_a_short_line_is_refused_alone_and_lines_are_skipped() -> None:
    found = outcome(b"HEAD\n00001abcdef\n00002abc\n\n00003abcdef\n\x1a", fixed(skip=1))

    assert [value["code"] for value in found.values] == ["00001", "00003"]
    assert [(one.error.code, one.place[0], one.raw) for one in found.refused] == [("NAVE-D170", 3, "00002abc")]


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two columns"):
        FixedFormat(columns=[COLUMNS[0], COLUMNS[0]])


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("size", [1, 100_000])
def test_punches_are_read_and_only_the_pin_loses_its_padding(end: str, size: int) -> None:
    data = end.join([PUNCH, "  00012\t2026-11-21 17:30:59\t1\t1\t15\t 3", ""]).encode()

    assert outcome(Drip(data, size), AttlogFormat()).values == [
        {"pin": "7", "time": "2026-11-21 08:00:03", "device": "1", "status": "0", "verify": "1", "workcode": "0"},
        {"pin": "00012", "time": "2026-11-21 17:30:59", "device": "1", "status": "1", "verify": "15", "workcode": " 3"},
    ]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("    8\t2026-11-21 08:00:03\t1\t0", "NAVE-D175"),
        ("    8\t21.11.2026\t1\t0\t1\t0", "NAVE-D176"),
        ("     \t2026-11-21 08:00:03\t1\t0\t1\t0", "NAVE-D176"),
        ("    8\t2026-11-21 08:00:03\t1\t0\t1\t\x00", "NAVE-D106"),
    ],
)
def test_a_broken_punch_is_refused_alone(line: str, code: str) -> None:
    found = outcome("\n".join([PUNCH] * 3000 + [line, PUNCH]).encode(), AttlogFormat())

    assert len(found.values) == 3001
    assert [(one.error.code, one.raw, one.place[0]) for one in found.refused] == [(code, line, 3001)]


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"", "NAVE-D101"), (b"hello world\n", "NAVE-D102"), (b"<a/>", "NAVE-D102"), (b"\x01\x00\x02\x00", "NAVE-D106")],
)
def test_what_is_no_attendance_log_is_refused(data: bytes, code: str) -> None:
    assert outcome(data, AttlogFormat()).code == code


LINE = st.tuples(st.text("0aé镕", min_size=5, max_size=5), st.text("b 硕", min_size=6, max_size=6))


@given(st.lists(LINE, min_size=1, max_size=6), st.sampled_from(["utf-8", "gb18030"]), st.integers(1, 20))
def test_lines_read_back_the_same(lines: list[tuple[str, str]], codec: str, size: int) -> None:
    data = "\n".join(map("".join, lines)).encode(codec)

    found = outcome(Drip(data, size), fixed(encoding=codec))

    assert [(value["code"], value["name"]) for value in found.values] == lines
