"""Rows that stand together become one record, whole or not at all, wherever the reading is cut off."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from nave.connectors.files.options import FilesSinkOptions
from nave.core.errors import ConfigError
from nave.core.protocols import Refused
from nave.formats import DEFAULTS, CsvFormat, FixedFormat, Limits, XlsxFormat, joining
from tests.connectors.dropping import Drop, Killed
from tests.formats.files import Drip, Outcome, outcome, written

ORDERS = "NO,BUYER,ITEM,QTY\nSO1,C1,P1,10\nSO1,C1,P2,20\nSO2,C2,P1,5\n"
KINDS = {"H": ["KIND", "NO", "DAY"], "L": ["KIND", "ITEM", "QTY", "UNIT"]}


def csv(text: str, *, limits: Limits = DEFAULTS, size: int | None = None, **options: Any) -> Outcome:
    data = text.encode()
    return outcome(Drip(data, size) if size else data, CsvFormat.model_validate(options), limits)


def codes(found: Outcome) -> list[str]:
    return [one.error.code for one in found.refused]


@pytest.mark.parametrize("size", [1, 7, None])
def test_a_header_that_repeats_stands_once_and_its_lines_in_a_list(size: int | None) -> None:
    found = csv(ORDERS, join={"by": "NO", "head": ["BUYER"], "lines": "LINES"}, size=size)

    assert found.values == [
        {"NO": "SO1", "BUYER": "C1", "LINES": [{"ITEM": "P1", "QTY": "10"}, {"ITEM": "P2", "QTY": "20"}]},
        {"NO": "SO2", "BUYER": "C2", "LINES": [{"ITEM": "P1", "QTY": "5"}]},
    ]
    assert [row.number for row in found.rows] == [2, 4]
    assert [row.offset for row in found.rows] == [18, 18 + 2 * 13]


def test_without_head_the_record_is_its_first_row_with_all_rows_inside() -> None:
    found = csv(ORDERS, join={"by": ["NO", "BUYER"]})

    assert found.values[1] == {
        "NO": "SO2", "BUYER": "C2", "ITEM": "P1", "QTY": "5",
        "lines": [{"NO": "SO2", "BUYER": "C2", "ITEM": "P1", "QTY": "5"}],
    }  # fmt: skip


def test_two_kinds_of_rows_have_columns_of_their_own() -> None:
    text = "H,SO1,2026-01-05\nL,P1,10,PCE\nL,P2,20,KGM\n\nH,SO2,2026-01-06\nL,P1,5,PCE\n"

    found = csv(text, header=KINDS, join={"starts": {"KIND": "H"}, "lines": "LINES"})

    assert [(one["NO"], [line["ITEM"] for line in one["LINES"]]) for one in found.values] == [
        ("SO1", ["P1", "P2"]),
        ("SO2", ["P1"]),
    ]
    assert [row.number for row in found.rows] == [1, 5]


def test_a_header_without_lines_has_an_empty_list() -> None:
    found = csv("H,SO1,2026-01-05\nH,SO2,2026-01-06\n", header=KINDS, join={"starts": {"KIND": "H"}})

    assert [one["lines"] for one in found.values] == [[], []]


def test_what_only_the_first_row_says_holds_for_those_below_as_in_merged_cells() -> None:
    data = written(
        [
            {"单号": "SO1", "客户": "盈硕", "物料": "P1"},
            {"单号": None, "客户": None, "物料": "P2"},
            {"单号": 7, "客户": "海川", "物料": "P1"},
        ],
        XlsxFormat(),
    )

    found = outcome(data, XlsxFormat.model_validate({"join": {"by": "单号", "head": ["客户"], "lines": "明细"}}))

    assert found.values == [
        {"单号": "SO1", "客户": "盈硕", "明细": [{"物料": "P1"}, {"物料": "P2"}]},
        {"单号": 7, "客户": "海川", "明细": [{"物料": "P1"}]},
    ]
    assert [row.number for row in found.rows] == [2, 4]


def test_fixed_columns_are_joined_too() -> None:
    columns = [{"name": "NO", "start": 1, "width": 3}, {"name": "ITEM", "start": 4, "width": 2}]

    found = outcome(b"SO1P1\nSO1P2\n", FixedFormat.model_validate({"columns": columns, "join": {"by": "NO"}}))

    assert [len(one["lines"]) for one in found.values] == [2]


@pytest.mark.parametrize(
    ("rows", "join", "expected"),
    [
        ("SO1,C1,P1,1\nSO2,C1,P1,1\nSO1,C1,P2,1\n", {"by": "NO"}, ["NAVE-D191"]),
        ("SO1,C1,P1,1\nSO1,C9,P2,1\n", {"by": "NO", "head": ["BUYER"]}, ["NAVE-D192"]),
        ("SO1,C1,P1,1\nSO1,C1\nSO1,C1,P2,1\n", {"by": "NO"}, ["NAVE-D140", "NAVE-D193"]),
        ("SO1,C1,P1,1\nSO1,C1\nSO2,C1,P2,1\nSO3,C1,P2,1\n", {"by": "NO"}, ["NAVE-D140", "NAVE-D193", "NAVE-D193"]),
        ("SO1,C1,P1,1\nSO1,C1,P2,1\nSO1,C1,P3,1\n", {"by": "NO", "limit": 2}, ["NAVE-D194"]),
        (",C1,P1,1\nSO1,C1,P2,1\n", {"by": "NO"}, ["NAVE-D195"]),
        ("SO1,C1,P1,1\nSO1,C1,P1,1\n", {"starts": {"BUYER": "H"}}, ["NAVE-D195", "NAVE-D195"]),
        ("SO1,H,P1,1\nSO2,L,P1,1\nSO3,H,P1,1\n", {"starts": {"BUYER": "H"}, "by": "NO"}, ["NAVE-D196"]),
        ("SO1,H,P1,1\nx\nSO1,L,P1,1\nSO3,H,P1,1\n", {"starts": {"BUYER": "H"}}, ["NAVE-D140", "NAVE-D193"]),
    ],
)
def test_a_record_that_may_not_be_whole_is_refused_and_its_neighbours_go_on(
    rows: str, join: dict[str, Any], expected: list[str]
) -> None:
    found = csv(f"NO,BUYER,ITEM,QTY\n{rows}SO8,H,P8,1\nSO9,H,P9,1\n", join=join)

    assert codes(found) == expected
    assert found.error is None
    assert [one["NO"] for one in found.values][-2:] == ["SO8", "SO9"]
    for one in found.refused:
        assert one.error.text("zh")
        assert one.error.text("en")


def test_a_refused_record_is_kept_with_all_its_rows() -> None:
    found = csv("NO,BUYER,ITEM\nSO1,C1,P1\nSO1,C2,P2\n", join={"by": "NO", "head": ["BUYER"]})

    kept = json.loads(found.refused[0].raw)
    assert kept == {"NO": "SO1", "BUYER": "C1", "lines": [{"ITEM": "P1"}, {"ITEM": "P2"}]}
    assert found.refused[0].place == (2, 14)


def test_a_column_that_is_not_there_ends_the_file_before_anything_is_read() -> None:
    found = csv(ORDERS, join={"by": "no"})

    assert (found.rows, found.code) == ([], "NAVE-D190")
    assert "NO, BUYER" in found.error.text("en") if found.error else False


def test_the_group_in_hand_is_not_yielded_when_the_file_breaks_off() -> None:
    endless = '"' + "x\n" * 60

    found = csv(f"NO,A\nSO1,1\nSO2,1\nSO2,{endless}", join={"by": "NO"}, limits=Limits(record=100))

    assert found.code == "NAVE-D125"
    assert [one["NO"] for one in found.values] == ["SO1"]


def test_a_row_of_an_unknown_kind_is_refused_with_the_record_around_it() -> None:
    found = csv("H,SO1,x\nZ,1\nH,SO2,x\n", header=KINDS, join={"starts": {"KIND": "H"}})

    assert codes(found) == ["NAVE-D147", "NAVE-D193"]
    assert [one["NO"] for one in found.values] == ["SO2"]


def test_size_is_bounded_as_well_as_the_number_of_rows() -> None:
    found = csv("NO,A\n" + "SO1,xxxxxxxxxx\n" * 20 + "SO2,1\n", join={"by": "NO"}, limits=Limits(record=200))

    assert codes(found) == ["NAVE-D194"]
    assert len(json.loads(found.refused[0].raw)["lines"]) < 10
    assert [one["NO"] for one in found.values] == ["SO2"]


def test_keys_are_known_again_within_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "REMEMBERED", 2)

    near = csv("NO,A\nSO1,1\nSO2,1\nSO1,1\n", join={"by": "NO"})
    far = csv("NO,A\nSO1,1\nSO2,1\nSO3,1\nSO4,1\nSO5,1\nSO1,1\n", join={"by": "NO"})

    assert codes(near) == ["NAVE-D191"]
    assert codes(far) == []


@pytest.mark.parametrize(
    "join",
    [
        {},
        {"head": ["A"]},
        {"starts": {"A": "H"}, "head": ["B"]},
        {"by": "A", "lines": "A"},
        {"by": []},
        {"by": "A", "limit": 0},
        {"by": "A", "limits": 3},
    ],
)
def test_a_join_that_makes_no_sense_is_refused(join: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CsvFormat.model_validate({"join": join})


@pytest.mark.parametrize("options", [{"join": {"by": "A"}}, {"header": {"H": ["A"]}}])
def test_it_is_for_reading_only(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as refused:
        written([{"A": "1"}], CsvFormat.model_validate(options))
    with pytest.raises(ValidationError):
        FilesSinkOptions.model_validate({"name": "a_{seq}.csv", "format": {"type": "csv", **options}})

    assert refused.value.code == "NAVE-D184"


KEYS = st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 4)), max_size=12)


@settings(max_examples=100, deadline=None)
@given(KEYS, st.integers(1, 9))
def test_every_row_comes_out_once_in_a_record_or_refused(runs: list[tuple[str, int]], size: int) -> None:
    rows = [key for key, count in runs for _ in range(count)]
    text = "NO,N\n" + "".join(f"{key},{number}\n" for number, key in enumerate(rows))

    found = csv(text, join={"by": "NO"}, size=size)

    out = [json.loads(one.value.raw) if isinstance(one.value, Refused) else one.value for one in found.rows]
    assert [line["N"] for one in out for line in one["lines"]] == [str(number) for number in range(len(rows))]
    assert [one["NO"] for one in out] == [key for key, _ in groupby(rows)]
    assert [one["NO"] for one in found.values] == list(dict.fromkeys(rows))


@pytest.mark.parametrize("batch", [1, 2, 10])
@pytest.mark.parametrize("dies", range(8))
def test_a_reading_that_is_cut_off_goes_on_between_two_records(tmp_path: Path, batch: int, dies: int) -> None:
    folder = tmp_path / "drop"
    folder.mkdir()
    drop = Drop(folder, {"format": {"type": "csv", "join": {"by": "NO", "head": ["BUYER"]}}, "batch": batch})
    drop.put("orders.csv", ORDERS + "SO3,C3,P1,1\nSO3,C3,P2,1\nSO3,C3,P3,1\nSO4,C4,P1,1\n")
    steps = iter(range(1_000))

    def step(_name: str) -> None:
        if next(steps) == dies:
            raise Killed

    with suppress(Killed):
        drop.run(step)
    drop.run()

    assert [(one["NO"], len(one["lines"])) for one in drop.landed] == [("SO1", 2), ("SO2", 1), ("SO3", 3), ("SO4", 1)]
    assert drop.archived() == ["orders.csv"]
