"""Value tables: one meaning per code and system, both ways."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nave.core.errors import ConfigError, PermanentError
from nave.mappings import Mapped, MappingProblems, MappingSpec, ValueTable, compile_inbound
from nave.mappings.tables import look_up, look_up_on
from tests.mappings.setting import SHANGHAI, THING

DATED = [
    {"from": "A", "to": "old", "valid_from": "2020-01-01", "valid_to": "2025-12-31"},
    {"from": "A", "to": "new", "valid_from": "2026-01-01", "valid_to": ""},
]

ROWS = [
    {"system": "", "from": "1", "to": "active"},
    {"system": "nc", "from": "2", "to": "active"},
    {"system": "nc", "from": "1", "to": "new"},
    {"system": "", "from": "A", "to": "active"},
]


def test_a_systems_own_rows_win_over_those_for_all() -> None:
    table = ValueTable.from_rows("status", ROWS)

    assert table.inward("erp") == {"1": "active", "A": "active"}
    assert table.inward("nc") == {"1": "new", "2": "active", "A": "active"}


def test_on_the_way_out_the_first_code_of_a_meaning_is_used() -> None:
    table = ValueTable.from_rows("status", ROWS)

    assert table.outward("erp") == {"active": "1"}
    assert table.outward("nc") == {"active": "2", "new": "1"}


def test_a_code_with_two_meanings_is_refused() -> None:
    with pytest.raises(ConfigError, match="NAVE-M018") as caught:
        ValueTable.from_rows("status", [{"from": "1", "to": "a"}, {"from": "2", "to": "a"}, {"from": "1", "to": "b"}])

    assert caught.value.params["row"] == 4


def test_the_same_row_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="NAVE-M018"):
        ValueTable.from_rows("t", [{"from": "1", "to": "a"}] * 2)


def test_columns_must_have_their_names() -> None:
    with pytest.raises(ConfigError, match="NAVE-M019"):
        ValueTable.from_rows("status", [{"code": "1", "meaning": "a"}])


@settings(deadline=None)
@given(st.dictionaries(st.text(min_size=1), st.text(min_size=1)))
def test_out_and_in_again_is_where_it_started(codes: dict[str, str]) -> None:
    table = ValueTable.from_rows("t", [{"from": code, "to": meaning} for code, meaning in codes.items()])

    inward, outward = table.inward("s"), table.outward("s")

    assert {inward[outward[meaning]] for meaning in codes.values()} == set(codes.values())


def test_a_row_holds_from_its_first_day_to_its_last() -> None:
    table = ValueTable.from_rows("t", DATED)
    run = look_up_on("t", table.side("nc", outbound=False), "refuse", None, None)

    assert [run("A", day) for day in (date(2020, 1, 1), date(2025, 12, 31), date(2026, 1, 1))] == ["old", "old", "new"]
    with pytest.raises(PermanentError, match="NAVE-M104"):
        run("A", date(2019, 12, 31))


@pytest.mark.parametrize(
    ("since", "until", "code"),
    [
        ("2025-12-31", "2026-06-01", "M018"),
        ("", "", "M018"),
        ("2026-02-30", "", "M030"),
        ("2027-01-01", "2026-01-01", "M030"),
    ],
)
def test_rows_that_overlap_or_never_hold_are_refused(since: str, until: str, code: str) -> None:
    row = {"from": "A", "to": "x", "valid_from": since, "valid_to": until}

    with pytest.raises(ConfigError, match=code) as caught:
        ValueTable.from_rows("t", [DATED[0], row])

    assert caught.value.params["row"] == 3


def test_a_table_has_a_policy_of_its_own_that_a_field_can_overrule() -> None:
    side = ValueTable.from_rows("t", [{"from": "1", "to": "a"}]).side("s", outbound=False)

    assert look_up("t", side, "pass", None, None)("7") == "7"
    assert look_up("t", side, "default", None, "other")("7") == "other"
    assert look_up("t", side, "default", None, "other")("") is None


def test_a_dated_table_needs_a_day_and_another_one_takes_none() -> None:
    spec = {"mapping": "m", "from": "erp.t", "to": "thing", "key": "K"}
    tables = {
        "dated": ValueTable.from_rows("dated", DATED),
        "plain": ValueTable.from_rows("plain", [{"from": "A", "to": "x"}]),
    }

    def found(form: dict[str, str]) -> Any:
        whole = MappingSpec.model_validate({**spec, "fields": {"name": form}})
        try:
            mapping = compile_inbound(whole, THING, system="erp", time_zone=SHANGHAI, tables=tables)
        except MappingProblems as wrong:
            return wrong.problems[0].error.code
        (mapped,) = mapping.run([{"K": "1", "A": "A", "D": "2026-01-01"}])
        return mapped.values if isinstance(mapped, Mapped) else mapped.code

    assert found({"from": "A", "table": "dated", "at": "D | date"}) == {"name": "new"}
    assert found({"from": "A", "table": "dated", "at": "D"}) == "NAVE-M119"
    assert found({"from": "A", "table": "dated"}) == "NAVE-M027"
    assert found({"from": "A", "table": "plain", "at": "D | date"}) == "NAVE-M029"
