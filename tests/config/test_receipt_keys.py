"""What a source of files says of receipts, rejects and totals is refused where it could not work."""

from __future__ import annotations

from pathlib import Path

import pytest

from nave.config import load
from tests.whole import small

XML, CSV = "{type: xml, record: A/B}", "{type: csv}"


def codes(folder: Path, more: str, pattern: str = "*.csv", form: str = CSV) -> list[str]:
    """The problems of a hub whose source has these keys besides the usual ones."""
    small.write(folder, pattern=pattern, form=form)
    system = folder / "systems/erp.yaml"
    system.write_text(f"{system.read_text('utf-8')}    {more}\n", "utf-8")
    return [problem.code.removeprefix("NAVE-") for problem in load(folder).problems]


@pytest.mark.parametrize(
    ("more", "pattern", "expected"),
    [
        ("receipt: {file: beside}", "*.csv", []),
        ("receipt: {file: beside}", "orders_*", ["K301"]),
        ("receipt: {file: receipts}", "orders_*", []),
        ("receipt: {file: beside, format: csv}", "*.csv", ["K301"]),
        ("receipt: {file: beside, format: pdf}", "*.csv", ["C013"]),
        ("receipt: {file: ../out}", "*.csv", ["C012"]),
        ("receipt: {file: .nave/x}", "*.csv", ["C012"]),
        ("rejects: {folder: /tmp}", "*.csv", ["C012"]),
        ("rejects: {}", "*.csv", []),
        ('rejects: {}\n    join: {file: "l_{n}.csv", by: CODE}', "h_{n}.csv", ["K303"]),
    ],
)
def test_receipts_go_where_they_are_no_input(tmp_path: Path, more: str, pattern: str, expected: list[str]) -> None:
    assert codes(tmp_path, more, pattern) == expected


@pytest.mark.parametrize(
    ("form", "more", "expected"),
    [
        ("{type: csv, header: [CODE, NAME, AREA]}", "rejects: {}", ["K303"]),
        ("{type: csv, join: {by: CODE}}", "rejects: {}", ["K303"]),
        ("{type: attlog}", "rejects: {}", ["K303"]),
        ("{type: xml, record: A, nested: true}", "rejects: {}", ["K303"]),
        (CSV, "snapshot: true\n    rejects: {}", ["K304"]),
        ("{type: xlsx}", "expect: {count: T/N}", ["K302"]),
        ("{type: xlsx}", 'expect: {sequence: {file: "a_{n}.xlsx"}}', []),
        (XML, "expect: {count: T/N, control_total: T/S, field: SUM}", []),
        (XML, "expect: {control_total: T/S}", ["C012"]),
        (XML, "expect: {count: N}", ["C012"]),
        (XML, 'expect: {sequence: {file: "a.xml"}}', ["C012"]),
        (XML, "expect: {sequence: {}}", ["C012"]),
        (XML, 'expect: {by: "25:00"}', ["C021"]),
        (XML, 'expect: {by: "06:30", days: ../days.csv}', ["C012"]),
        (XML, 'expect: {by: "06:30", days: days.csv, early: 6h}', []),
    ],
)
def test_what_a_layout_cannot_do_is_refused(tmp_path: Path, form: str, more: str, expected: list[str]) -> None:
    assert codes(tmp_path, more, form=form) == expected
