"""Value tables of a hub folder: CSV or XLSX, and the policy that stands beside one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from io import BytesIO
from pathlib import Path

import pytest
import xlsxwriter

from nave.mappings import ValueTable
from tests.config.hubs import load_hub

POLICY = "tables/region.yaml"


def book() -> bytes:
    """A workbook with a number, a text of digits and a date."""
    stream = BytesIO()
    with xlsxwriter.Workbook(stream, {"in_memory": True}) as workbook:
        sheet, day = workbook.add_worksheet(), workbook.add_format({"num_format": "yyyy-mm-dd"})
        sheet.write_row(0, 0, ["from", "to", "valid_from"])
        sheet.write_row(1, 0, [7, "0007"])
        sheet.write_datetime(1, 2, datetime(2026, 1, 1), day)  # noqa: DTZ001
        sheet.write_row(2, 0, ["0008", "b"])
    return stream.getvalue()


def codes(folder: Path, changed: Mapping[str, str | bytes | None]) -> list[str]:
    return [f"{one.file}:{one.code}" for one in load_hub(folder, changed).problems if one.file.startswith("tables/")]


def test_a_workbook_is_a_table_and_its_numbers_are_text(tmp_path: Path) -> None:
    loaded = load_hub(tmp_path, {"tables/region.csv": None, "tables/region.xlsx": book()})

    assert loaded.partial.tables["region"] == [
        {"from": "7", "to": "0007", "valid_from": "2026-01-01"},
        {"from": "0008", "to": "b", "valid_from": ""},
    ]
    assert ValueTable.from_rows("region", loaded.partial.tables["region"]).dated


def test_what_is_no_workbook_is_a_problem_with_its_file(tmp_path: Path) -> None:
    assert codes(tmp_path, {"tables/region.csv": None, "tables/region.xlsx": "no zip"}) == ["tables/region.xlsx:NAVE-D102"]


def test_the_policy_beside_a_table_is_the_tables_own(tmp_path: Path) -> None:
    loaded = load_hub(tmp_path, {POLICY: "table: region\nunknown: default\ndefault: CN\n"})

    table = ValueTable.from_rows("region", loaded.partial.tables["region"])

    assert loaded.config is not None
    assert (table.unknown, table.default) == ("default", "CN")


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({POLICY: "table: region\nunknown: defualt\n"}, f"{POLICY}:NAVE-C013"),
        ({POLICY: "table: region\nunknown: default\n"}, f"{POLICY}:NAVE-C012"),
        ({POLICY: "table: regoin\nunknown: pass\n"}, f"{POLICY}:NAVE-C030"),
        ({"tables/gone.yaml": "table: gone\nunknown: pass\n"}, "tables/gone.yaml:NAVE-C031"),
        ({"tables/region.xlsx": book()}, "tables/region.xlsx:NAVE-C031"),
    ],
)
def test_a_policy_or_table_that_cannot_count_is_told(tmp_path: Path, changed: dict[str, str | bytes], problem: str) -> None:
    assert codes(tmp_path, changed) == [problem]
