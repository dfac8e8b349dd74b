"""Text in columns: nothing is wider than its place, nothing is lost, nothing can steer a terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nave.cli.cells import cut, padded, printable, width, wrapped
from nave.cli.tables import Cell, Column, laid_out

TEXT = st.text(st.sampled_from("ab c，。中文字()-"), max_size=60)


def plain(text: str, _style: str) -> str:
    return text


@given(TEXT, st.integers(4, 40))
def test_wrapping_keeps_every_character_and_every_line_fits(text: str, columns: int) -> None:
    lines = wrapped(text, columns)

    assert "".join("".join(lines).split()) == "".join(text.split())
    # What is too wide is one word, with the closing marks behind it.
    assert all(width(line) <= columns or " " not in line for line in lines)


@given(TEXT, st.integers(2, 40))
def test_a_text_that_is_cut_fits_and_says_so(text: str, columns: int) -> None:
    short = cut(text, columns)

    assert width(short) <= columns
    assert short == text or short.endswith("…")
    assert width(padded(short, columns)) == columns


@given(st.text(max_size=40))
def test_nothing_that_is_shown_can_steer_a_terminal(text: str) -> None:
    assert printable(printable(text)) == printable(text)
    assert all(c.isprintable() or c.isspace() for c in printable(text))
    assert not set("\x1b\x07\r\n\x9b") & set(printable(text))


def test_columns_are_aligned_also_under_full_width_text() -> None:
    laid = laid_out([Column("NAME"), Column("COUNT", right=True)], [("上海", 1), ("x", 1234), ("y", 0)], None, plain)

    assert laid.lines == ["NAME  COUNT", "上海      1", "x     1,234", "y         -"]


def test_a_narrow_place_loses_empty_columns_first_and_names_those_that_were_not() -> None:
    columns = [Column("KEY"), Column("FULL", spare=2), Column("EMPTY", spare=1), Column("TEXT", elastic=True)]
    rows = [("k" * 10, "value", "", "a text that is rather long")]

    wide = laid_out(columns, rows, 46, plain)
    narrow = laid_out(columns, rows, 26, plain)

    assert wide.lines[0].split() == ["KEY", "FULL", "TEXT"]
    assert wide.left_out == []
    assert narrow.lines == ["KEY         TEXT", "kkkkkkkkkk  a text that i…"]
    assert narrow.left_out == ["FULL"]


def test_a_key_is_never_cut() -> None:
    laid = laid_out([Column("KEY"), Column("TEXT", elastic=True)], [("k" * 30, "abc")], 20, plain)

    assert laid.lines[1].startswith("k" * 30)


def test_numbers_that_matter_keep_their_style() -> None:
    laid = laid_out([Column("DEAD", right=True)], [(Cell("7", "bad"),)], None, lambda text, style: f"<{style}>{text}")

    assert laid.lines[1] == "<bad>   7"
